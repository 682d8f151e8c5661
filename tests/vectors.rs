//! Every operation of the byte vocabulary against plain arrays.

use proptest::prelude::*;
use tilewise::isa::{Scalar, Token};
use tilewise::vector::{ByteDot, Choice, Operands, PANEL, Step, Visitor, Vocabulary};
use tilewise::vector::{WordDot, WordStep, dispatch};
use tilewise_tests::each_isa;

/// Runs `resume`, `load`, `broadcast`, `dot`, `dot_at` and `store` once. A step is bytes: it may
/// stand anywhere, and stands at an odd address here.
fn dot<T: ByteDot>(token: T, sums: [i32; PANEL], group: [u8; 4], step: &Step) -> [i32; PANEL] {
    #[repr(C, align(64))]
    struct Odd {
        before: u8,
        step: Step,
    }
    let odd = std::hint::black_box(Odd { before: 0, step: *step });
    let step = &odd.step;
    assert_eq!(odd.before, 0);
    token.run(
        #[inline(always)]
        || {
            let (lhs, rhs) = (token.broadcast(group), token.load(step));
            let (mut out, mut other) = ([0; PANEL], [0; PANEL]);
            token.store(token.dot(token.resume(&sums), lhs, rhs), &mut out);
            token.store(token.dot_at(token.resume(&sums), lhs, rhs, step), &mut other);
            assert_eq!(out, other, "a step in registers and where it lies");
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

/// Weights whose pairs fit 16 bits, and the words that other weights are widened to: what an
/// instruction set chooses must give what plain arrays do.
struct ChosenEqualsPlainArrays {
    rows: usize,
    pairs_fit: bool,
}

impl Visitor for ChosenEqualsPlainArrays {
    type Output = ();

    fn visit<T: Vocabulary>(self, token: T) {
        let pair = if self.pairs_fit {
            prop::sample::select(vec![[64, 64], [127, 1], [-128, 127], [-64, -64], [0, -128]])
                .boxed()
        } else {
            prop::array::uniform2(any::<i8>()).boxed()
        };
        let steps = prop::array::uniform16(prop::array::uniform2(pair));
        let byte = prop_oneof![any::<u8>(), Just(255)];
        let input = (any::<i32>(), prop::array::uniform4(byte), steps);
        let mut runner = proptest::test_runner::TestRunner::default();
        runner
            .run(&input, |(sum, group, step)| {
                let step: Step = bytemuck::cast(step);
                let expected = dot(Scalar::detect().unwrap(), [sum; PANEL], group, &step);
                let operands = Operands::new(self.rows, self.pairs_fit);
                let sums = token.choose(operands, Dot { sum, group, step });
                prop_assert_eq!(sums, expected, "{}, {:?}", T::ISA, operands);
                Ok(())
            })
            .unwrap();
    }
}

/// One step in the chosen vocabulary.
struct Dot {
    sum: i32,
    group: [u8; 4],
    step: Step,
}

impl Choice for Dot {
    type Output = [i32; PANEL];

    fn bytes<T: Vocabulary>(self, token: T) -> [i32; PANEL] {
        dot(token, [self.sum; PANEL], self.group, &self.step)
    }

    fn word_rows<T: Vocabulary + WordDot>(self, token: T) -> [i32; PANEL] {
        let [a, b, c, d] = self.group.map(i16::from);
        token.run(
            #[inline(always)]
            || {
                let (lhs, rhs) = (token.broadcast_pairs(&[[a, c], [b, d]]), token.load(&self.step));
                let mut out = [0; PANEL];
                token.store(token.dot(token.resume(&[self.sum; PANEL]), lhs, rhs), &mut out);
                out
            },
        )
    }

    fn words<T: Vocabulary + WordDot>(self, token: T) -> [i32; PANEL] {
        let widen = |first: usize| -> WordStep {
            self.step.map(|column| [column[first], column[first + 2]].map(i16::from))
        };
        token.run(
            #[inline(always)]
            || {
                let mut acc = token.resume(&[self.sum; PANEL]);
                for first in [0, 1] {
                    let group = [self.group[first], self.group[first + 2]].map(i16::from);
                    let (lhs, rhs) =
                        (token.broadcast_words(group), token.load_words(&widen(first)));
                    acc = token.dot_words(acc, lhs, rhs);
                }
                let mut out = [0; PANEL];
                token.store(acc, &mut out);
                out
            },
        )
    }
}

#[test]
fn what_is_chosen_equals_plain_arrays() {
    each_isa(|isa| {
        for (rows, pairs_fit) in [(1, true), (100, true), (1, false), (100, false)] {
            dispatch(isa, ChosenEqualsPlainArrays { rows, pairs_fit }).unwrap();
        }
    });
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
