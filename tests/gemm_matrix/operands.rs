//! The values of a case, as they are given to the library and as they are meant.

use crate::arena::{Arena, Stored};
use crate::case::{Bytes, Case, LhsKind, Zeros};
use crate::plain;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use tilewise::Matrix;
use tilewise::gemm::{PackedWeights, Shape, reference};

/// What a case multiplies and what comes of it.
pub(crate) struct Operands {
    /// The left operand as bytes, signed ones too; rows with gaps between them.
    pub(crate) bytes: Vec<u8>,
    /// The left operand as floats.
    pub(crate) floats: Vec<f32>,
    /// The zero point of every row of bytes.
    pub(crate) points: Vec<u8>,
    pub(crate) packed: PackedWeights,
    /// The sums there must be, row by row.
    pub(crate) sums: Vec<i32>,
    /// The scale of every row, as stages see it.
    pub(crate) row_factors: Vec<f32>,
    /// The scales given with the rows ...
    pub(crate) row_scales: Vec<f32>,
    /// ... and the columns.
    pub(crate) column_scales: Vec<f32>,
}

impl Case {
    pub(crate) fn operands(&self, weights: &mut Arena, zeros: &mut Arena) -> Operands {
        let rng = &mut Pcg64Mcg::seed_from_u64(!self.seed);
        let Shape { m, n, k } = self.shape;
        let (rows, columns) = if self.by_columns { (k, m) } else { (m, k) };
        let bytes = self.lhs_bytes(rng, spread(rows, columns, self.gaps[0]));
        let floats = self.lhs_floats(rng, &bytes);
        let point = |_| if self.points_each { extreme_or_any(rng) } else { self.zero_point };
        let points: Vec<u8> = (0..m).map(point).collect();
        let row_scales: Vec<f32> = (0..m.max(1)).map(|_| rng.random_range(-0.2..0.2)).collect();
        let column_scales = (0..n.max(1)).map(|_| rng.random_range(-0.2..0.2)).collect();
        let (lhs, mut row_factors) = self.lhs_meant(&bytes, &floats, &points);
        for (row, factor) in row_factors.iter_mut().enumerate() {
            *factor *= row_scales[if self.scales_each[0] { row } else { 0 }];
        }
        let (packed, weights) = self.weights(rng, weights, zeros);
        let sums = plain::multiply(&lhs, &weights, (m, n, k));
        Operands { bytes, floats, points, packed, sums, row_factors, row_scales, column_scales }
    }

    fn lhs_bytes(&self, rng: &mut Pcg64Mcg, len: usize) -> Vec<u8> {
        let end = if self.lhs == LhsKind::I8 { 128 } else { 255 };
        match self.bytes {
            Bytes::Extremes => (0..len).map(|_| extreme(rng)).collect(),
            Bytes::Ends | Bytes::SmallEnds => vec![end; len],
            _ => (0..len).map(|_| rng.random()).collect(),
        }
    }

    /// The floats of the bytes, or rows each of a kind; between rows stands what no row may hold.
    fn lhs_floats(&self, rng: &mut Pcg64Mcg, bytes: &[u8]) -> Vec<f32> {
        let Shape { m, k, .. } = self.shape;
        if self.lhs != LhsKind::F32 {
            return Vec::new();
        }
        if !self.wide {
            return bytes.iter().map(|&byte| (f32::from(byte) - 99.5) * 0.037).collect();
        }
        let kinds: Vec<Row> = (0..m).map(|_| Row::draw(rng)).collect();
        let line = if self.by_columns { m } else { k };
        let number = |at: usize| {
            let (first, second) = (at / (line + self.gaps[0]), at % (line + self.gaps[0]));
            match if self.by_columns { second } else { first } {
                row if second < line => kinds[row].number(rng),
                _ => f32::NAN,
            }
        };
        (0..bytes.len()).map(number).collect()
    }

    fn weight(&self, rng: &mut Pcg64Mcg) -> i8 {
        match self.bytes {
            Bytes::Any => rng.random(),
            Bytes::Extremes => extreme(rng).cast_signed(),
            Bytes::Ends => i8::MIN,
            Bytes::SmallEnds => i8::MIN / 2,
            Bytes::MostlySmall if rng.random_range(0..50) == 0 => extreme(rng).cast_signed(),
            Bytes::Small | Bytes::MostlySmall => rng.random_range(-64..=64),
        }
    }

    /// The left operand less its zero points, without gaps, and the scale each row has of itself.
    fn lhs_meant(&self, bytes: &[u8], floats: &[f32], points: &[u8]) -> (Vec<i32>, Vec<f32>) {
        let Shape { m, k, .. } = self.shape;
        let (mut meant, mut scales) = (Vec::with_capacity(m * k), vec![1.0; m]);
        let mut quantised = vec![0; k];
        for row in 0..m {
            let gap = self.gaps[0];
            let at = |d| if self.by_columns { d * (m + gap) + row } else { row * (k + gap) + d };
            let zero = i32::from(points[row]);
            match self.lhs {
                LhsKind::U8 => meant.extend((0..k).map(|d| i32::from(bytes[at(d)]) - zero)),
                LhsKind::I8 => {
                    let zero = i32::from(points[row].cast_signed());
                    let signed = (0..k).map(|d| i32::from(bytes[at(d)].cast_signed()));
                    meant.extend(signed.map(|value| value - zero));
                }
                LhsKind::F32 => {
                    let row_of: Vec<f32> = (0..k).map(|d| floats[at(d)]).collect();
                    let (scale, zero) = reference::quantise(&row_of, &mut quantised);
                    scales[row] = scale;
                    let zero = i32::from(zero);
                    meant.extend(quantised.iter().map(|&byte| i32::from(byte) - zero));
                }
            }
        }
        (meant, scales)
    }

    /// The weights packed, and less their zero points.
    fn weights(
        &self,
        rng: &mut Pcg64Mcg,
        arena: &mut Arena,
        zeros_arena: &mut Arena,
    ) -> (PackedWeights, Vec<i32>) {
        let (Shape { n, k, .. }, gap) = (self.shape, self.gaps[1]);
        let (rows, columns) = if self.transposed { (n, k) } else { (k, n) };
        let len = spread(rows, columns, gap);
        let values: Vec<i8> = (0..len).map(|_| self.weight(rng)).collect();
        let given = arena.put(&values, self.at_end);
        let given = Matrix::with_stride(given, rows, columns, columns + gap).unwrap();
        let packed = match self.transposed {
            true => PackedWeights::pack_transposed(given),
            false => PackedWeights::pack(given),
        };
        let zeros: Vec<i8> = match self.zeros {
            Zeros::None => Vec::new(),
            Zeros::One(zero) => vec![zero],
            Zeros::Each => (0..n).map(|_| rng.random()).collect(),
        };
        let mut packed = packed.unwrap();
        if !zeros.is_empty() {
            packed = packed.with_zero_points(zeros_arena.put(&zeros, self.at_end)).unwrap();
        }
        if self.stored {
            packed = PackedWeights::from_bytes(Stored::share(&packed.to_bytes().unwrap())).unwrap();
        }
        let mut meant = Vec::with_capacity(k * n);
        for d in 0..k {
            for c in 0..n {
                let (row, column) = if self.transposed { (c, d) } else { (d, c) };
                let zero = zeros.get(if zeros.len() == 1 { 0 } else { c }).copied().unwrap_or(0);
                meant.push(i32::from(values[row * (columns + gap) + column]) - i32::from(zero));
            }
        }
        (packed, meant)
    }
}

/// Elements of `rows` rows with gaps between, not after, them.
pub(crate) fn spread(rows: usize, columns: usize, gap: usize) -> usize {
    (rows * (columns + gap)).saturating_sub(if rows > 0 { gap } else { 0 })
}

/// What the floats of a row are drawn from.
#[derive(Clone, Copy, Debug)]
enum Row {
    /// Numbers of one size.
    Near,
    /// Any finite number.
    Any,
    /// Numbers below the least normal one.
    Subnormal,
    /// Zeros of both signs.
    Zeros,
    /// One number throughout.
    Constant(f32),
    /// Numbers of one size, and a few that are larger than all of them by far.
    Outliers,
    /// What is no number, now and then.
    NotFinite,
}

impl Row {
    fn draw(rng: &mut Pcg64Mcg) -> Row {
        match rng.random_range(0..13) {
            0..4 => Row::Near,
            4 | 5 => Row::Any,
            6 => Row::Subnormal,
            7 => Row::Zeros,
            8 | 9 => Row::Constant(any_finite(rng)),
            10 | 11 => Row::Outliers,
            _ => Row::NotFinite,
        }
    }

    fn number(self, rng: &mut Pcg64Mcg) -> f32 {
        let rare = rng.random_range(0..20) == 0;
        let near = rng.random_range(-3.0..9.0f32);
        match self {
            Row::Any => any_finite(rng),
            Row::Subnormal => near.signum() * f32::from_bits(rng.random_range(0..0x80_0000)),
            Row::Zeros => 0.0f32.copysign(near),
            Row::Constant(number) => number,
            Row::Outliers if rare => near * 1e30,
            Row::NotFinite if rare => {
                [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY][rng.random_range(0..4)]
            }
            Row::Near | Row::Outliers | Row::NotFinite => near,
        }
    }
}

fn any_finite(rng: &mut Pcg64Mcg) -> f32 {
    let number = f32::from_bits(rng.random());
    if number.is_finite() { number } else { f32::MAX.copysign(number) }
}

fn extreme_or_any(rng: &mut Pcg64Mcg) -> u8 {
    if rng.random() { extreme(rng) } else { rng.random() }
}

fn extreme(rng: &mut Pcg64Mcg) -> u8 {
    [0, 1, 127, 128, 129, 255][rng.random_range(0..6)]
}
