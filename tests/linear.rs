//! The front door and the floats that go through it: each row is quantised over its own range and
//! depends on nothing else; what is wrong is named.

use tilewise::gemm::{
    Add, Error, Fit, Gelu, Lhs, Linear, PackedWeights, Requantise, Scales, reference,
};
use tilewise::{Isa, Matrix, MatrixMut, Solo};
use tilewise_tests::{each_isa, guarded, guarded_front, teams};

#[test]
fn quantised_rows_are_near_and_zero_is_exact() {
    let rows: [&[f32]; 7] = [
        &[0.0, 0.0],
        &[-1.0, 0.0, 1.0],
        &[3.0, 2.0, 2.5],
        &[-3.0, -0.1],
        &[f32::MAX, f32::MIN, 1.0],
        &[1e-40, -1e-42, 0.0],
        &[-0.17, 100.0, 0.0, 50.0],
    ];
    for row in rows {
        let mut bytes = vec![0; row.len()];
        let (scale, zero) = reference::quantise(row, &mut bytes);
        for (&byte, &value) in bytes.iter().zip(row) {
            let meant = f64::from(scale) * (f64::from(byte) - f64::from(zero));
            let error = (meant - f64::from(value)).abs() / f64::from(scale);
            assert!(error <= 0.5001, "{value} of {row:?} became {meant}, {error} steps off");
            assert!(value != 0.0 || meant == 0.0);
        }
    }
}

#[test]
fn a_row_depends_on_itself_alone_and_no_number_makes_no_numbers() {
    let (m, k, n) = (9, 33, 40);
    let mut x: Vec<f32> = (0..m * k).map(|i| ((i * 37) % 101) as f32 - 40.0).collect();
    x[2 * k + 5] = f32::NAN;
    x[4 * k] = -f32::NAN;
    x[5 * k + 32] = f32::NEG_INFINITY;
    let weights: Vec<i8> = (0..k * n).map(|i| (i * 91 % 256) as u8 as i8).collect();
    let linear = Linear::new(Matrix::new(&weights, k, n).unwrap(), &[0.1], None).unwrap();
    let run = |x: &[f32]| {
        let mut y = vec![0.0; x.len() / k * n];
        let rows = Matrix::new(x, x.len() / k, k).unwrap();
        let view = MatrixMut::new(&mut y, rows.rows(), n).unwrap();
        let mut scratch = linear.scratch(rows.rows(), 1).unwrap();
        linear.run_then(rows, Gelu, view, &mut scratch, &Solo).unwrap();
        y
    };
    let together = run(&x);
    for (index, row) in x.chunks(k).enumerate() {
        let (alone, together) = (run(row), &together[index * n..][..n]);
        if [2, 4, 5].contains(&index) {
            assert!(alone.iter().chain(together).all(|y| y.is_nan()), "row {index}");
        } else {
            assert_eq!(alone, together, "row {index}");
        }
    }
}

#[test]
fn the_front_door_equals_the_formula() {
    let (m, k, n) = (5, 7, 19);
    let x: Vec<u8> = (0..m * k).map(|i| (i * 37 % 256) as u8).collect();
    let floats: Vec<f32> = x.iter().map(|&x| f32::from(x) / 9.0).collect();
    let weights: Vec<i8> = (0..k * n).map(|i| (i * 91 % 256) as u8 as i8).collect();
    let bias: Vec<f32> = (0..n).map(|i| i as f32).collect();
    let weights = Matrix::new(&weights, k, n).unwrap();
    let linear = Linear::new(weights, &[0.1], Some(&bias)).unwrap();
    let bytes = Lhs::u8(Matrix::new(&x, m, k).unwrap(), 100).scaled(Scales::All(0.5));
    let floats = Lhs::f32(Matrix::new(&floats, m, k).unwrap());
    for (lhs, floats) in [(bytes, None), (floats, Some(&floats))] {
        let mut sums = vec![0; m * n];
        reference::multiply(lhs, weights, &[], &mut sums);
        let expected: Vec<f32> = (0..m * n)
            .map(|i| {
                let scale = floats.map_or(0.5, |_| {
                    let row: Vec<f32> =
                        x[i / n * k..][..k].iter().map(|&x| f32::from(x) / 9.0).collect();
                    reference::quantise(&row, &mut vec![0; k]).0
                });
                reference::dequantise(sums[i], scale, 0.1) + bias[i % n]
            })
            .collect();
        for (name, team) in teams() {
            let mut scratch = linear.scratch(m, team.size()).unwrap();
            let mut y = vec![0.0; m * n];
            let view = MatrixMut::new(&mut y, m, n).unwrap();
            linear.run(lhs, view, &mut scratch, *team).unwrap();
            assert_eq!(y, expected, "{name}");
        }
    }
}

/// Scratch for some rows is enough for fewer, which may take other tiles, and for any team; and no
/// row depends on how many come with it, on the instruction set or on the team.
#[test]
fn scratch_for_many_rows_is_enough_for_fewer_on_every_instruction_set() {
    for (k, n) in [(768, 96), (33, 70), (1, 1), (0, 5), (3000, 20)] {
        let most = 26;
        let x: Vec<f32> = (0..most * k).map(|i| (i * 7919 % 1009) as f32 / 97.0 - 5.0).collect();
        let weights: Vec<i8> = (0..k * n).map(|i| (i * 91 % 256) as u8 as i8).collect();
        let bias = guarded(&(0..n).map(|i| i as f32).collect::<Vec<_>>());
        let scales = guarded_front(&(0..n).map(|i| 0.1 + i as f32).collect::<Vec<_>>());
        let weights = Matrix::new(&weights, k, n).unwrap();
        let layer = Linear::new(weights, &scales, Some(&bias)).unwrap();
        let expected: Vec<f32> = {
            let (rows, mut sums) = (Matrix::new(&x, most, k).unwrap(), vec![0; most * n]);
            reference::multiply(Lhs::f32(rows), weights, &[], &mut sums);
            let scale = |row| reference::quantise(rows.row(row), &mut vec![0; k]).0;
            let row_scales: Vec<f32> = (0..most).map(scale).collect();
            let value = |at: usize| {
                let (row, column) = (at / n, at % n);
                reference::dequantise(sums[at], row_scales[row], scales[column]) + bias[column]
            };
            (0..most * n).map(value).collect()
        };
        each_isa(|isa| {
            let layer = layer.clone().on(isa).unwrap();
            // Each of a team has room, also with a single row, which is shared out by columns.
            let bytes = [1, 2, 3].map(|threads| layer.scratch_bytes(1, threads).unwrap());
            assert!(bytes[1] > bytes[0] && bytes[2] - bytes[1] == bytes[1] - bytes[0], "{bytes:?}");
            let for_bytes = layer.scratch_bytes_for_bytes(9, 2).unwrap();
            let rows = 9 * (k.div_ceil(64) + 1) * 64;
            assert_eq!(layer.scratch_bytes(9, 2).unwrap(), for_bytes + rows);
            for (room, threads) in [(1, 1), (3, 1), (3, 2), (9, 3), (most, 1), (most, 2)] {
                let mut scratch = layer.scratch(room, threads).unwrap();
                for rows in 0..=room {
                    let (name, team) = teams()[(rows + room) % teams().len()];
                    let x = guarded(&x[..rows * k]);
                    let mut y = guarded(&vec![f32::NAN; rows * n]);
                    let view = MatrixMut::new(&mut y, rows, n).unwrap();
                    let x = Matrix::new(&x, rows, k).unwrap();
                    layer
                        .run(x, view, &mut scratch, team)
                        .unwrap_or_else(|error| panic!("{rows} rows of {room} on {isa}: {error}"));
                    assert_eq!(y[..], expected[..rows * n], "{rows} x {k} x {n}, {isa}, {name}");
                }
            }
        });
    }
}

#[test]
fn a_layer_moves_to_an_instruction_set_that_is_there() {
    let layer = Linear::new(Matrix::new(&[0; 4], 2, 2).unwrap(), &[1.0], None).unwrap();
    for isa in Isa::ALL {
        match layer.clone().on(isa) {
            Ok(_) => assert!(isa.is_available()),
            Err(error) => {
                assert!(!isa.is_available() && error.to_string().contains(isa.name()), "{error}");
            }
        }
    }
}

/// `PackedWeights::quantise` by its description, in doubles where that changes nothing.
fn quantised(weights: &[f32], n: usize, fit: Fit) -> (Vec<i8>, Vec<f32>) {
    let size = |pair: &[f32]| match fit {
        Fit::Weights => pair.iter().fold(0.0, |most: f64, &x| most.max(f64::from(x).abs())),
        Fit::Pairs => [1.0, -1.0]
            .map(|sign| pair.iter().map(|&x| (sign * f64::from(x)).max(0.0)).sum::<f64>())
            .into_iter()
            .fold(0.0, f64::max),
    };
    let scale = |column| {
        let column: Vec<f32> = weights.iter().skip(column).step_by(n).copied().collect();
        let largest = column.chunks(2).map(size).fold(0.0, f64::max) as f32 as f64;
        ((largest / 127.0) as f32).max(f32::MIN_POSITIVE)
    };
    let scales: Vec<f32> = (0..n).map(scale).collect();
    let byte = |(i, &weight): (usize, &f32)| {
        let whole = f64::from(weight * (1.0 / scales[i % n])).round_ties_even();
        whole.clamp(-127.0, 127.0) as i8
    };
    (weights.iter().enumerate().map(byte).collect(), scales)
}

#[test]
fn weights_of_floats_are_near_whichever_way_they_are_stored() {
    let extremes = [0.0, -0.0, 1e-42, -1e-39, f32::MIN_POSITIVE, f32::MAX, f32::MIN, 0.5, -1.5];
    let shapes = [(0, 3), (3, 0), (1, 1), (9, 9), (37, 50)];
    let all = shapes.into_iter().flat_map(|shape| [(shape, Fit::Weights), (shape, Fit::Pairs)]);
    for ((k, n), fit) in all {
        let weight = |i: usize| match i {
            i if n == 9 => extremes[i / n] * [1.0, 0.3, 0.0][i % n % 3],
            i => (i * 7919 % 1009) as f32 / 97.0 - 5.0,
        };
        let rows: Vec<f32> = (0..k * n).map(weight).collect();
        let columns: Vec<f32> = (0..k * n).map(|i| rows[i % k * n + i / k]).collect();
        let (bytes, expected) = quantised(&rows, n, fit);
        for (i, (&byte, &weight)) in bytes.iter().zip(&rows).enumerate() {
            let steps = f64::from(weight) / f64::from(expected[i % n]);
            assert!((steps - f64::from(byte)).abs() <= 0.5001, "{weight} became {byte}");
        }
        let packed = PackedWeights::pack(Matrix::new(&bytes, k, n).unwrap()).unwrap();
        let by_row = PackedWeights::quantise(Matrix::new(&rows, k, n).unwrap(), fit).unwrap();
        let by_column = Matrix::new(&columns, n, k).unwrap();
        let by_column = PackedWeights::quantise_transposed(by_column, fit).unwrap();
        for (weights, scales) in [by_row, by_column] {
            assert_eq!(scales, expected);
            assert_eq!(*weights.to_bytes().unwrap(), *packed.to_bytes().unwrap(), "{k} x {n}");
            assert!(fit == Fit::Weights || weights.wide_steps() == 0, "{k} x {n} can saturate");
        }
    }
}

#[test]
fn packed_weights_make_the_same_layer_and_may_have_zero_points() {
    let (m, k, n) = (3, 10, 21);
    let x: Vec<u8> = (0..m * k).map(|i| (i * 37 % 256) as u8).collect();
    let weights: Vec<i8> = (0..k * n).map(|i| (i * 91 % 256) as u8 as i8).collect();
    let weights = Matrix::new(&weights, k, n).unwrap();
    let zeros: Vec<i8> = (0..n).map(|i| (i * 53 % 256) as u8 as i8).collect();
    let scales: Vec<f32> = (1..=n).map(|i| i as f32 * 0.01).collect();
    let run = |linear: Result<Linear, Error>| {
        let (linear, mut y) = (linear.unwrap(), vec![0.0; m * n]);
        let (rows, out) = (Matrix::new(&x, m, k).unwrap(), MatrixMut::new(&mut y, m, n).unwrap());
        let mut scratch = linear.scratch(m, 1).unwrap();
        linear.run(Lhs::u8(rows, 7), out, &mut scratch, &Solo).unwrap();
        y
    };
    let packed = PackedWeights::pack(weights).unwrap();
    let layer = Linear::new(weights, &scales, None);
    let again = Linear::new(layer.as_ref().unwrap().weights().clone(), &scales, None);
    let plain = run(layer);
    assert_eq!(run(Linear::new(packed.clone(), &scales, None)), plain);
    assert_eq!(run(again), plain);

    let shifted = Linear::new(packed.with_zero_points(&zeros).unwrap(), &scales, None);
    let mut sums = vec![0; m * n];
    reference::multiply(Lhs::u8(Matrix::new(&x, m, k).unwrap(), 7), weights, &zeros, &mut sums);
    let expected: Vec<f32> =
        (0..m * n).map(|i| reference::dequantise(sums[i], 1.0, scales[i % n])).collect();
    assert_eq!(run(shifted), expected);
}

#[test]
fn bad_input_is_an_error_that_names_it() {
    let weights = [0; 12];
    let weights = Matrix::new(&weights, 4, 3).unwrap();
    let scales = Linear::new(weights, &[1.0, f32::NAN, 1.0], None).unwrap_err();
    assert_eq!(scales.to_string(), "scale 1 is NaN; give finite numbers");
    let bias = Linear::new(weights, &[1.0], Some(&[0.0, 0.0, f32::NEG_INFINITY])).unwrap_err();
    assert_eq!(bias.to_string(), "bias 2 is -inf; give finite numbers");
    let short = Linear::new(weights, &[1.0], Some(&[1.0])).unwrap_err();
    assert_eq!(short.to_string(), "1 biases; expected 3, one for each column");

    for quantise in [PackedWeights::quantise, PackedWeights::quantise_transposed] {
        let wrong = Matrix::with_stride(&[0.0, 1.0, 9.0, f32::NAN, 0.0], 2, 2, 3).unwrap();
        let error = quantise(wrong, Fit::Pairs).unwrap_err();
        let message = "the weight in row 1, column 0 is NaN; give finite numbers";
        assert_eq!(error.to_string(), message);
    }
    let most = usize::MAX;
    let (deep, wide) = (Matrix::new(&[], most, 0).unwrap(), Matrix::new(&[], 0, most).unwrap());
    let (packed, scales) = PackedWeights::quantise(deep, Fit::Pairs).unwrap();
    assert_eq!((packed.k(), packed.n(), scales.len()), (most, 0, 0));
    assert!(PackedWeights::quantise_transposed(wide, Fit::Pairs).unwrap().1.is_empty());
    assert!(matches!(PackedWeights::quantise(wide, Fit::Weights), Err(Error::OutOfMemory(_))));
    assert!(matches!(
        PackedWeights::quantise_transposed(deep, Fit::Weights),
        Err(Error::OutOfMemory(_))
    ));
    let packed = PackedWeights::pack(weights).unwrap();
    let short = Linear::new(packed, &[1.0, 2.0], None).unwrap_err();
    assert_eq!(short.to_string(), "2 scales; expected 3, one for each column, or one for all");

    let linear = Linear::new(weights, &[1.0], None).unwrap();
    let (x, mut scratch) = ([0.0; 8], linear.scratch(2, 1).unwrap());
    let x = Matrix::new(&x, 2, 4).unwrap();
    let mut bytes = [0u8; 6];
    for scale in [0.0, -1.0, f32::NAN, f32::INFINITY, 1e-40] {
        let next = Requantise { scale, zero_point: 0 };
        let view = MatrixMut::new(&mut bytes, 2, 3).unwrap();
        let error = linear.run_then(x, next, view, &mut scratch, &Solo).unwrap_err();
        assert!(error.to_string().contains("scale of the output is"), "{error}");
    }
    let mut y = [0.0; 6];
    let residual = Add(Matrix::new(&[0.0; 6], 3, 2).unwrap());
    let view = MatrixMut::new(&mut y, 2, 3).unwrap();
    let error = linear.run_then(x, residual, view, &mut scratch, &Solo).unwrap_err();
    let message = "the residual has 3 rows and 2 columns; the product has 2 and 3";
    assert_eq!(error.to_string(), message);
    let bytes = Matrix::new(&[0; 8], 2, 4).unwrap();
    let scaled = Lhs::f32(x).scaled(Scales::Each(&[1.0]));
    let scales =
        "1 scales of the rows; expected 2, one for each row, or Scales::All for all of them";
    let points = "3 zero points of the rows; expected 2, one for each row; Lhs::u8 and Lhs::i8 take \
                  one for all";
    for (lhs, message) in [(scaled, scales), (Lhs::u8_rows(bytes, &[0; 3]), points)] {
        let view = MatrixMut::new(&mut y, 2, 3).unwrap();
        let error = linear.run(lhs, view, &mut scratch, &Solo).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    assert_eq!(y, [0.0; 6], "nothing is written");
}
