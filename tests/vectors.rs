//! Every operation of the byte vocabulary against plain arrays.

use proptest::prelude::*;
use tilewise::isa::{Scalar, Token};
use tilewise::vector::{ByteDot, PANEL, Step, Visitor, Vocabulary, dispatch};
use tilewise_tests::each_isa;

/// Runs `resume`, `load`, `broadcast`, `dot` and `store` once.
fn dot<T: ByteDot>(token: T, sums: [i32; PANEL], group: [u8; 4], step: &Step) -> [i32; PANEL] {
    token.run(
        #[inline(always)]
        || {
            let (lhs, rhs) = (token.broadcast(group), token.load(step));
            let mut out = [0; PANEL];
            token.store(token.dot(token.resume(&sums), lhs, rhs), &mut out);
            out
        },
    )
}

struct EqualsPlainArrays;

impl Visitor for EqualsPlainArrays {
    type Output = ();

    fn visit<T: Vocabulary>(self, token: T) {
        let scalar = Scalar::detect().unwrap();
        let extreme = || prop::sample::select(vec![i32::MIN, -1, 0, 1, i32::MAX]);
        let sums =
            prop_oneof![prop::array::uniform16(any::<i32>()), prop::array::uniform16(extreme())];
        let weight = || prop_oneof![any::<i8>(), Just(-128), Just(127)];
        let byte = || prop_oneof![any::<u8>(), Just(255), Just(128)];
        let steps = prop::array::uniform16(prop::array::uniform4(weight()));
        let input = (sums, prop::array::uniform4(byte()), steps);
        let mut runner = proptest::test_runner::TestRunner::default();
        runner
            .run(&input, |(sums, group, step)| {
                let expected = dot(scalar, sums, group, &step);
                prop_assert_eq!(dot(token, sums, group, &step), expected, "{}", T::ISA);
                Ok(())
            })
            .unwrap();
        let mut out = [7; PANEL];
        token.run(
            #[inline(always)]
            || token.store(token.zero(), &mut out),
        );
        assert_eq!(out, [0; PANEL], "{}", T::ISA);
    }
}

#[test]
fn byte_operations_equal_plain_arrays() {
    each_isa(|isa| dispatch(isa, EqualsPlainArrays).unwrap());
}

#[test]
fn plain_arrays_are_the_formula() {
    let scalar = Scalar::detect().unwrap();
    let mut step = [[0; 4]; PANEL];
    step[3] = [1, -2, 3, -128];
    let sums = dot(scalar, [i32::MAX; PANEL], [255, 1, 2, 4], &step);
    assert_eq!(sums[3], i32::MAX.wrapping_add(255 - 2 + 6 - 512));
    assert_eq!(sums[4], i32::MAX);
}
