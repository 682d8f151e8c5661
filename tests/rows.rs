//! Row kernels: against their definitions in 64 bits, the same bits on every instruction set, for
//! every team.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tilewise::attention::Attention;
use tilewise::rows::{Error, Fixed, LayerNorm};
use tilewise::{Isa, Matrix, MatrixMut, Solo, SpinTeam, Team};

/// Numbers without a pattern, -4 to 4, some far out.
fn numbers(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let x = (state >> 40) as f32 / (1u64 << 24) as f32 * 8.0 - 4.0;
            if state >> 59 == 0 { x * 20.0 } else { x }
        })
        .collect()
}

fn normed(norm: &LayerNorm, rows: &[f32], isa: Isa, team: &dyn Team) -> Vec<f32> {
    let mut out = rows.to_vec();
    let columns = norm.columns();
    let matrix = MatrixMut::new(&mut out, rows.len() / columns, columns).unwrap();
    norm.run(matrix, isa, team).unwrap();
    out
}

#[test]
fn layer_norms_are_what_they_are_defined_as() {
    for columns in [1, 15, 16, 17, 384, 1000] {
        let (weights, biases) = (numbers(columns, 1), numbers(columns, 2));
        let norm = LayerNorm::new(&weights, &biases, 1e-5).unwrap();
        let rows: Vec<f32> = numbers(7 * columns, 3).iter().map(|x| x + 30.0).collect();
        let out = normed(&norm, &rows, Isa::best(), &Solo);
        for (row, out) in rows.chunks_exact(columns).zip(out.chunks_exact(columns)) {
            let n = columns as f64;
            let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
            let squares = row.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>();
            let length = (squares / n + 1e-5).sqrt();
            for i in 0..columns {
                let share = (f64::from(row[i]) - mean) / length;
                let exact = share * f64::from(weights[i]) + f64::from(biases[i]);
                // The mean of numbers near 30 is off by some of its last places.
                let allowed = 2e-5 * f64::from(weights[i].abs()) / length.min(1.0) + 1e-5;
                let gap = (f64::from(out[i]) - exact).abs();
                assert!(gap < allowed, "{columns} columns: {gap:e}, allowed {allowed:e}");
            }
        }
    }
}

#[test]
fn layer_norms_have_the_same_bits_everywhere() {
    for columns in [5, 16, 100, 384] {
        let norm = LayerNorm::new(&numbers(columns, 1), &numbers(columns, 2), 1e-12).unwrap();
        let rows = numbers(9 * columns, 3);
        let expected = normed(&norm, &rows, Isa::Scalar, &Solo);
        for isa in Isa::available() {
            for threads in 1..4 {
                let team = SpinTeam::new(threads).unwrap();
                assert_eq!(normed(&norm, &rows, isa, &team), expected, "{isa}, {threads}");
            }
        }
    }
}

#[test]
fn rows_that_are_made_before_their_norm_are_those_and_nothing_between_them() {
    for columns in [5, 16, 384] {
        let norm = LayerNorm::new(&numbers(columns, 1), &numbers(columns, 2), 1e-12).unwrap();
        let rows = numbers(9 * columns, 3);
        let expected = normed(&norm, &rows, Isa::Scalar, &Solo);
        let asked: Vec<_> = (0..9).map(|_| AtomicUsize::new(0)).collect();
        let make = |index: usize, row: &mut [f32]| {
            asked[index].fetch_add(1, Relaxed);
            row.copy_from_slice(&rows[index * columns..][..columns]);
        };
        for (calls, (isa, threads)) in
            Isa::available().flat_map(|isa| [(isa, 1), (isa, 2), (isa, 3)]).enumerate()
        {
            let mut out = vec![7.0; 9 * (columns + 3)];
            let team = SpinTeam::new(threads).unwrap();
            let matrix = MatrixMut::with_stride(&mut out, 9, columns, columns + 3).unwrap();
            norm.fill(matrix, &make, isa, &team).unwrap();
            for (row, expected) in out.chunks(columns + 3).zip(expected.chunks(columns)) {
                assert_eq!(row[..columns], *expected, "{isa}, {threads}");
                assert_eq!(row[columns..], [7.0; 3], "{isa}, {threads}");
            }
            assert!(asked.iter().all(|asked| asked.load(Relaxed) == calls + 1));
        }
    }
}

#[test]
fn fixed_ranges_clip_and_round_alike_everywhere() {
    let values = numbers(3 * 37, 5);
    let fixed = Fixed::over(-3.0, 2.5).unwrap();
    let bytes = |isa, team: &dyn Team| {
        let mut bytes = vec![0; values.len()];
        let rows = MatrixMut::new(&mut bytes, 3, 37).unwrap();
        fixed.run(Matrix::new(&values, 3, 37).unwrap(), rows, isa, team).unwrap();
        bytes
    };
    let expected = bytes(Isa::Scalar, &Solo);
    for isa in Isa::available() {
        assert_eq!(bytes(isa, &SpinTeam::new(2).unwrap()), expected, "{isa}");
    }
    for (&value, &byte) in values.iter().zip(&expected) {
        let back = fixed.scale() * (f32::from(byte) - f32::from(fixed.zero_point()));
        let clipped = value.clamp(-3.0, 2.5);
        assert!((back - clipped).abs() <= 1.01 * fixed.scale(), "{value} came back as {back}");
    }
}

/// Sequences of `lengths`: rows of queries, keys and values, and offsets.
fn sequences(lengths: &[usize], columns: usize) -> (Vec<f32>, Vec<usize>) {
    let tokens: usize = lengths.iter().sum();
    let mut offsets = vec![0];
    for len in lengths {
        offsets.push(offsets[offsets.len() - 1] + len);
    }
    (numbers(tokens * columns, 11).iter().map(|x| x / 16.0).collect(), offsets)
}

fn attended(
    attention: &Attention,
    (qkv, offsets): (&[f32], &[usize]),
    hidden: usize,
    team: &dyn Team,
) -> Vec<f32> {
    let tokens = qkv.len() / (3 * hidden);
    let longest = offsets.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
    let mut scratch = attention.scratch(longest, team.size()).unwrap();
    let mut out = vec![f32::NAN; tokens * hidden];
    let rows = MatrixMut::new(&mut out, tokens, hidden).unwrap();
    let qkv = Matrix::new(qkv, tokens, 3 * hidden).unwrap();
    attention.run(qkv, offsets, rows, &mut scratch, team).unwrap();
    out
}

/// What attention is defined as, in double precision.
fn exact((heads, width): (usize, usize), (qkv, offsets): (&[f32], &[usize])) -> Vec<f64> {
    let hidden = heads * width;
    let at = |token: usize, part: usize, head: usize, i: usize| {
        f64::from(qkv[token * 3 * hidden + part * hidden + head * width + i])
    };
    let mut out = vec![f64::NAN; qkv.len() / 3];
    for pair in offsets.windows(2) {
        for (head, query) in (0..heads).flat_map(|h| (pair[0]..pair[1]).map(move |q| (h, q))) {
            let powers: Vec<f64> = (pair[0]..pair[1])
                .map(|key| (0..width).map(|i| at(query, 0, head, i) * at(key, 1, head, i)).sum())
                .map(|dot: f64| (dot / (width as f64).sqrt()).exp())
                .collect();
            let sum: f64 = powers.iter().sum();
            for i in 0..width {
                let means =
                    powers.iter().zip(pair[0]..).map(|(p, key)| p / sum * at(key, 2, head, i));
                out[query * hidden + head * width + i] = means.sum();
            }
        }
    }
    out
}

#[test]
fn attention_is_what_it_is_defined_as() {
    for (heads, width) in [(1, 1), (3, 20), (2, 32), (1, 48), (2, 64)] {
        let hidden = heads * width;
        let (mut qkv, offsets) = sequences(&[1, 16, 0, 49, 130], 3 * hidden);
        // So far from each other that bytes of all scores would pick one token each, rightly or not.
        qkv.iter_mut().for_each(|x| *x /= 4.0);
        let exact = exact((heads, width), (&qkv, &offsets));
        let greatest = qkv.iter().fold(0.0f64, |most, value| most.max(value.abs().into()));
        for isa in Isa::available() {
            let floats = Attention::new(heads, width, isa).unwrap();
            for (attention, allowed) in [(floats, 1e-4), (floats.in_bytes(), 0.01 * greatest)] {
                let out = attended(&attention, (&qkv, &offsets), hidden, &Solo);
                for (&given, exact) in out.iter().zip(&exact) {
                    let error = (f64::from(given) - exact).abs();
                    assert!(error < allowed, "{attention:?}: {given} for {exact}");
                }
            }
        }
    }
}

#[test]
fn attention_has_the_same_bits_on_every_team_and_beside_any_sequence() {
    let (heads, width) = (3, 20);
    let hidden = heads * width;
    let (qkv, offsets) = sequences(&[50, 3, 97, 1], 3 * hidden);
    let forms = |attention: Attention| [attention, attention.in_bytes()];
    let all = Isa::available().map(|isa| Attention::new(heads, width, isa).unwrap());
    for attention in all.flat_map(forms) {
        let expected = attended(&attention, (&qkv, &offsets), hidden, &Solo);
        for threads in 2..4 {
            let team = SpinTeam::new(threads).unwrap();
            assert_eq!(attended(&attention, (&qkv, &offsets), hidden, &team), expected);
        }
        for pair in offsets.windows(2) {
            let own = &qkv[pair[0] * 3 * hidden..pair[1] * 3 * hidden];
            let alone = attended(&attention, (own, &[0, pair[1] - pair[0]]), hidden, &Solo);
            assert_eq!(alone, expected[pair[0] * hidden..pair[1] * hidden]);
        }
    }
}

#[test]
fn attention_in_bytes_has_the_same_bits_everywhere() {
    for (heads, width) in [(2, 7), (1, 32), (1, 48), (1, 64)] {
        // Shorter ones are in floats.
        let (qkv, offsets) = sequences(&[Attention::FEWEST_IN_BYTES, 33, 130], 3 * heads * width);
        let on = |isa| {
            let attention = Attention::new(heads, width, isa).unwrap().in_bytes();
            attended(&attention, (&qkv, &offsets), heads * width, &Solo)
        };
        let expected = on(Isa::Scalar);
        Isa::available().for_each(|isa| assert_eq!(on(isa), expected, "{isa}"));
    }
}

#[test]
fn what_is_no_number_spoils_what_it_is_part_of() {
    let (width, tokens) = (4, 30);
    for (spoilt, part) in [(f32::NAN, 0), (f32::INFINITY, 0), (f32::NAN, 1), (f32::INFINITY, 2)] {
        let (mut qkv, offsets) = sequences(&[tokens, 5], 3 * width);
        qkv[3 * 3 * width + part * width] = spoilt;
        for isa in Isa::available() {
            let attention = Attention::new(1, width, isa).unwrap().in_bytes();
            let out = attended(&attention, (&qkv, &offsets), width, &Solo);
            for (index, value) in out.iter().enumerate() {
                let (token, column) = (index / width, index % width);
                // A query its own row, a key all rows, a value its column, of its sequence.
                let part_of = [token == 3, true, column == 0][part] && token < tokens;
                assert_eq!(value.is_nan(), part_of, "{isa}: {spoilt} in {part}, {token}, {column}");
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let wrong = LayerNorm::new(&[1.0; 3], &[0.0; 4], 1e-5);
    assert!(matches!(wrong, Err(Error::Length { given: 4, expected: 3, .. })));
    assert!(matches!(LayerNorm::new(&[1.0], &[0.0], -1.0), Err(Error::Value { .. })));
    assert!(matches!(LayerNorm::new(&[1.0], &[0.0], f32::NAN), Err(Error::Value { .. })));
    assert!(matches!(Fixed::over(0.0, f32::INFINITY), Err(Error::Value { .. })));
    let norm = LayerNorm::new(&[1.0; 3], &[0.0; 3], 1e-5).unwrap();
    let mut rows = [0.0; 8];
    let short = norm.run(MatrixMut::new(&mut rows, 2, 4).unwrap(), Isa::best(), &Solo);
    assert!(matches!(short, Err(Error::Length { given: 4, expected: 3, .. })));

    let attention = Attention::new(1, 2, Isa::best()).unwrap();
    let qkv = [0.0; 4 * 6];
    let run = |offsets: &[usize], longest: usize, columns: usize| {
        let mut out = [0.0; 4 * 4];
        let mut scratch = attention.scratch(longest, 1).unwrap();
        let out = MatrixMut::new(&mut out, 4, columns).unwrap();
        let qkv = Matrix::new(&qkv, 4, 6).unwrap();
        attention.run(qkv, offsets, out, &mut scratch, &Solo)
    };
    assert_eq!(run(&[0, 1, 4], 3, 2), Ok(()));
    for (offsets, longest, columns) in [
        (&[0, 1, 3][..], 3, 2),
        (&[0, 3, 1, 4], 3, 2),
        (&[1, 4], 3, 2),
        (&[0, 4], 3, 2),
        (&[0, 4], 4, 3),
    ] {
        assert!(matches!(run(offsets, longest, columns), Err(Error::Length { .. })), "{offsets:?}");
    }
}
