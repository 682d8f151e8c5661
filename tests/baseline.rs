//! The plain opponents compute what the kernels compute, in every build and every loop order.

use proptest::prelude::*;
use tilewise::Matrix;
use tilewise::stencil::{Extent, Stencil, reference};
use tilewise_harness::baseline::stencil::{Fields, Float, Order, Structures};
use tilewise_harness::baseline::{Baseline, Error, Vectorisation, gemm, kmeans};

/// Every build this CPU can run.
fn arms() -> impl Iterator<Item = Baseline> {
    Baseline::levels().flat_map(|level| {
        [Vectorisation::Off, Vectorisation::Auto]
            .into_iter()
            .filter_map(move |vectorisation| Baseline::at(level, vectorisation))
    })
}

#[test]
fn both_arms_are_built_alike() {
    let (scalar, auto) = (Baseline::scalar(), Baseline::auto());
    assert_eq!(scalar.level(), auto.level());
    let switches = " -Cno-vectorize-loops -Cno-vectorize-slp";
    assert_eq!(scalar.flags().strip_suffix(switches), Some(auto.flags()));
    for level in Baseline::levels() {
        if !level.is_available() {
            eprintln!("baseline level {level} is not on this machine");
            assert!(Baseline::at(level, Vectorisation::Auto).is_none());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn products_are_exact(
        (m, n, k) in (1usize..20, 1usize..70, 1usize..140),
        seed in any::<u64>(),
    ) {
        let mut bytes = Bytes(seed);
        let lhs: Vec<u8> = (0..m * k).map(|_| bytes.next()).collect();
        let rhs: Vec<i8> = (0..k * n).map(|_| bytes.next() as i8).collect();
        let operands =
            gemm::Operands::new(Matrix::new(&lhs, m, k)?, Matrix::new(&rhs, k, n)?)?;
        let expected: Vec<i32> = (0..m * n)
            .map(|at| {
                let (i, j) = (at / n, at % n);
                (0..k).map(|p| i32::from(lhs[i * k + p]) * i32::from(rhs[p * n + j])).sum()
            })
            .collect();
        for arm in arms() {
            for order in gemm::Order::ALL {
                let mut out = vec![-1; m * n];
                arm.gemm(order, &operands, &mut out)?;
                prop_assert_eq!(&out, &expected, "{}, {}", arm, order);
            }
        }
    }

    /// Coordinates are small integers, so every distance is exact whatever the rounding, and
    /// ties are frequent.
    #[test]
    fn assignments_are_exact(
        (n, d, k) in (1usize..600, 1usize..9, 1usize..20),
        seed in any::<u64>(),
    ) {
        let mut bytes = Bytes(seed);
        let mut draw = |len| (0..len).map(|_| f32::from(bytes.next() % 16)).collect::<Vec<_>>();
        let (points, centres) = (draw(n * d), draw(k * d));
        let operands =
            kmeans::Operands::new(Matrix::new(&points, n, d)?, Matrix::new(&centres, k, d)?)?;
        let distance = |point: &[f32], centre: &[f32]| -> f32 {
            point.iter().zip(centre).map(|(x, c)| (x - c) * (x - c)).sum()
        };
        let expected: Vec<u32> = points
            .chunks(d)
            .map(|point| {
                let all = centres.chunks(d).map(|centre| distance(point, centre));
                // `min_by` keeps the first of equals.
                (0..).zip(all).min_by(|a, b| a.1.total_cmp(&b.1)).expect("a centre").0
            })
            .collect();
        for arm in arms() {
            for order in kmeans::Order::ALL {
                let mut labels = vec![u32::MAX; n];
                arm.assign(order, &operands, &mut labels)?;
                prop_assert_eq!(&labels, &expected, "{}, {}", arm, order);
            }
        }
    }

    #[test]
    fn steps_equal_the_kernels_reference_to_the_bit(
        (x, y, z) in (1usize..40, 1usize..40, 1usize..40),
        seed in any::<u64>(),
    ) {
        for (stencil, extent) in [
            (Stencil::heat7(0.1), Extent::space(x, y, z)),
            (Stencil::heat5(0.2), Extent::plane(x, y * z)),
        ] {
            let mut bytes = Bytes(seed);
            let field: Vec<f64> =
                (0..x * y * z).map(|_| f64::from(bytes.next()) / 255.0).collect();
            let narrow: Vec<f32> = field.iter().map(|&u| u as f32).collect();
            check_step(stencil, extent, &field)?;
            check_step(stencil, extent, &narrow)?;
        }
    }
}

fn check_step<T: Float>(stencil: Stencil, extent: Extent, from: &[T]) -> Result<(), TestCaseError> {
    let mut expected = from.to_vec();
    reference::run(&stencil, extent, &mut expected, 1);
    for arm in arms() {
        for order in Order::ALL {
            let mut to = from.to_vec();
            arm.step(stencil, order, Fields { from, to: &mut to, extent })?;
            prop_assert_eq!(&to, &expected, "{}, {}", arm, order);
        }
        for before in [0, 1] {
            let mut points: Vec<T> = from.iter().flat_map(|&value| [value, value]).collect();
            arm.step_structures(stencil, Structures { points: &mut points, from: before, extent })?;
            let of = |which| points.iter().skip(which).step_by(2).copied().collect::<Vec<T>>();
            prop_assert_eq!(of(1 - before), expected.clone(), "{}, structures", arm);
            prop_assert_eq!(of(before), from, "{}, structures", arm);
        }
    }
    Ok(())
}

#[test]
fn operands_that_do_not_fit_are_named() -> Result<(), Box<dyn std::error::Error>> {
    let (lhs, rhs) = ([0u8; 6], [0i8; 6]);
    let short = gemm::Operands::new(Matrix::new(&lhs, 2, 3)?, Matrix::new(&rhs, 2, 3)?);
    let message = short.expect_err("depths 3 and 2").to_string();
    assert_eq!(message, "a column of the right operand has 2 elements; 3 were expected");
    let empty = gemm::Operands::new(Matrix::new(&lhs, 0, 3)?, Matrix::new(&rhs, 3, 2)?);
    assert_eq!(empty.err(), Some(Error::Empty { what: "m" }));
    let operands = gemm::Operands::new(Matrix::new(&lhs, 2, 3)?, Matrix::new(&rhs, 3, 2)?)?;
    assert!(Baseline::auto().gemm(gemm::Order::Rows, &operands, &mut [0; 3]).is_err());
    let (from, mut to) = ([0f32; 8], [0f32; 8]);
    let fields = Fields { from: &from, to: &mut to, extent: Extent::space(usize::MAX, 2, 4) };
    assert!(Baseline::auto().step(Stencil::heat7(0.1), Order::Whole, fields).is_err());
    let fields = Fields { from: &from, to: &mut to, extent: Extent::space(2, 2, 2) };
    let message = Baseline::auto().step(Stencil::heat5(0.1), Order::Whole, fields);
    let message = message.expect_err("two planes").to_string();
    let structures = Structures { points: &mut to, from: 0, extent: Extent::space(2, 2, 2) };
    assert!(Baseline::auto().step_structures(Stencil::heat7(0.1), structures).is_err());
    assert_eq!(message, "the extent along z has 2 elements; 1 were expected");
    Ok(())
}

/// A 64-bit linear congruential generator (Knuth's constants), a byte at a time.
struct Bytes(u64);

impl Bytes {
    fn next(&mut self) -> u8 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 56) as u8
    }
}
