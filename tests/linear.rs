//! The front door and the floats that go through it: each row is quantised over its own range and
//! depends on nothing else; what is wrong is named.

use tilewise::gemm::{Add, Error, Gelu, Lhs, Linear, Requantise, Scales, reference};
use tilewise::{Matrix, MatrixMut, Solo};
use tilewise_tests::teams;

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

#[test]
fn bad_input_is_an_error_that_names_it() {
    let weights = [0; 12];
    let weights = Matrix::new(&weights, 4, 3).unwrap();
    let scales = Linear::new(weights, &[1.0, f32::NAN, 1.0], None).unwrap_err();
    assert_eq!(scales.to_string(), "scale 1 is NaN; give finite numbers");
    let bias = Linear::new(weights, &[1.0], Some(&[0.0, 0.0, f32::NEG_INFINITY])).unwrap_err();
    assert_eq!(bias.to_string(), "bias 2 is -inf; give finite numbers");
    let short = Linear::new(weights, &[1.0], Some(&[1.0])).unwrap_err();
    assert_eq!(short, Error::Length { what: "biases", given: 1, expected: 3 });

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
    let message = "the residual has 3 rows and 2 columns; the plan is for m 2, n 3, k 4";
    assert_eq!(error.to_string(), message);
    let scaled = Lhs::f32(x).scaled(Scales::Each(&[1.0]));
    let view = MatrixMut::new(&mut y, 2, 3).unwrap();
    let error = linear.run(scaled, view, &mut scratch, &Solo).unwrap_err();
    assert_eq!(error.to_string(), "1 scales of the rows, but 2 of those; give one for each");
}
