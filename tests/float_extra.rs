//! Every operation of the float vocabulary against plain numbers, and writing past the caches.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tilewise::Isa;
use tilewise::buffer::Buffer;
use tilewise::vector::{FloatExtra, Real, Visitor, Vocabulary, dispatch, store, stream};
use tilewise_tests::{each_isa, guarded, guarded_front};

/// The most lanes a register has.
const MOST: usize = 16;

/// Any number that is not NaN: which NaN comes out is the CPU's business.
fn number<T: Real>() -> impl Strategy<Value = T> {
    let bits = any::<f64>().prop_filter("a number", |value| !value.is_nan());
    prop_oneof![bits, -2.0..2.0f64, Just(0.0), Just(-0.0), Just(f64::INFINITY)]
        .prop_map(T::from_f64)
}

/// The same, or both no number.
fn same<T: Real>(found: T, expected: T) -> bool {
    let is_nan = |value: T| value.partial_cmp(&value).is_none();
    bytemuck::bytes_of(&found) == bytemuck::bytes_of(&expected)
        || (is_nan(found) && is_nan(expected))
}

/// Sums, differences, products, the two shifts, and a selection by `between`, of one register.
fn operate<V: Vocabulary, T: Real>(
    token: V,
    a: &[T; MOST],
    b: &[T; MOST],
    between: [usize; 2],
) -> [Vec<T>; 6] {
    let simd = token.floats();
    let lanes = T::lanes::<V::Floats>();
    let mut out = [[T::default(); MOST]; 6];
    token.run(
        #[inline(always)]
        || {
            let load = |from: &[T; MOST]| T::registers::<V::Floats>(from)[0];
            let (a, b) = (load(a), load(b));
            let mask = T::lanes_between(simd, between[0], between[1]);
            let results = [
                T::plus(simd, a, b),
                T::minus(simd, a, b),
                T::times(simd, a, b),
                T::rotate_up(simd, a, 1),
                T::rotate_up(simd, a, T::lanes::<V::Floats>() - 1),
                T::select(simd, mask, a, T::splat(simd, b_first::<V, T>(b))),
            ];
            for (out, result) in out.iter_mut().zip(results) {
                T::registers_mut::<V::Floats>(out)[0] = result;
            }
        },
    );
    out.map(|out| out[..lanes].to_vec())
}

fn b_first<V: Vocabulary, T: Real>(register: T::Register<V::Floats>) -> T {
    bytemuck::cast_slice::<T::Register<V::Floats>, T>(&[register])[0]
}

struct Operations;

impl Visitor for Operations {
    type Output = ();

    fn visit<V: Vocabulary>(self, token: V) {
        equal_plain_numbers::<V, f32>(token);
        equal_plain_numbers::<V, f64>(token);
        let square: [[f32; 8]; 8] =
            std::array::from_fn(|row| std::array::from_fn(|column| (row * 8 + column) as f32));
        let turned = token.run(
            #[inline(always)]
            || token.floats().turn(square),
        );
        for (row, line) in turned.iter().enumerate() {
            for (column, value) in line.iter().enumerate() {
                assert_eq!(*value, square[column][row], "{}", V::ISA);
            }
        }
        bits_are_those_of_lanes(token);
        joined_registers_are_one_row::<V, f32>(token);
        joined_registers_are_one_row::<V, f64>(token);
    }
}

fn joined_registers_are_one_row<V: Vocabulary, T: Real>(token: V) {
    let (simd, lanes) = (token.floats(), T::lanes::<V::Floats>());
    let row: Vec<T> = (0..2 * lanes).map(|at| T::from_f64(at as f64)).collect();
    for from in 0..=lanes {
        let joined = token.run(
            #[inline(always)]
            || {
                let both = T::registers::<V::Floats>(&row);
                T::join(simd, both[0], both[1], from)
            },
        );
        let found: &[T] = bytemuck::cast_slice(std::slice::from_ref(&joined));
        assert_eq!(found, &row[from..from + lanes], "{} {} from {from}", V::ISA, T::NAME);
    }
}

fn bits_are_those_of_lanes<V: Vocabulary>(token: V) {
    let (simd, lanes) = (token.floats(), f32::lanes::<V::Floats>());
    for (start, end) in (0..=lanes).flat_map(|end| (0..=end).map(move |start| (start, end))) {
        let found = token.run(
            #[inline(always)]
            || simd.bits(f32::lanes_between(simd, start, end)),
        );
        let expected = (start..end).fold(0, |bits, lane| bits | 1 << lane);
        assert_eq!(found, expected, "{} {start}..{end}", V::ISA);
    }
}

fn equal_plain_numbers<V: Vocabulary, T: Real>(token: V) {
    let lanes = T::lanes::<V::Floats>();
    let numbers = || prop::collection::vec(number::<T>(), MOST);
    let input = (numbers(), numbers(), 0..=lanes, 0..=lanes);
    let check = |(a, b, start, end): (Vec<T>, Vec<T>, usize, usize)| {
        let whole = |v: &[T]| -> [T; MOST] { v.try_into().unwrap() };
        let found = operate(token, &whole(&a), &whole(&b), [start, end]);
        for lane in 0..lanes {
            let expected = [
                a[lane] + b[lane],
                a[lane] - b[lane],
                a[lane] * b[lane],
                a[(lane + lanes - 1) % lanes],
                a[(lane + 1) % lanes],
                if (start..end).contains(&lane) { a[lane] } else { b[0] },
            ];
            for (operation, expected) in expected.into_iter().enumerate() {
                let found = found[operation][lane];
                prop_assert!(
                    same(found, expected),
                    "{} {} operation {operation} lane {lane}: {found} for {expected}",
                    V::ISA,
                    T::NAME
                );
            }
        }
        Ok(())
    };
    TestRunner::default().run(&input, check).unwrap();
}

#[test]
fn float_operations_equal_plain_numbers() {
    each_isa(|isa| dispatch(isa, Operations).unwrap());
}

/// Writes two rows of `registers` registers each, `pitch` numbers apart, counting up from 1.
struct WriteRows<'a, T> {
    numbers: &'a mut [T],
    start: usize,
    pitch: usize,
    registers: usize,
    past_caches: bool,
}

impl<T: Real> Visitor for WriteRows<'_, T> {
    /// Lanes of a register.
    type Output = usize;

    fn visit<V: Vocabulary>(self, token: V) -> usize {
        let WriteRows { numbers, start, pitch, registers, past_caches } = self;
        let (simd, lanes) = (token.floats(), T::lanes::<V::Floats>());
        macro_rules! write_rows {
            () => {
                #[inline(always)]
                |mut region| {
                    let mut rows = region.rows::<2>(start, pitch, registers);
                    for row in 0..2 {
                        for at in 0..registers {
                            let value = T::from_f64((1 + row * registers + at) as f64);
                            rows.put(row, at, T::splat(simd, value));
                        }
                    }
                }
            };
        }
        token.run(
            #[inline(always)]
            || match past_caches {
                true => stream(simd, numbers, write_rows!()),
                false => store(simd, numbers, write_rows!()),
            },
        );
        lanes
    }
}

fn rows_are_written<T: Real>(isa: Isa, registers: usize, gap: usize, past_caches: bool) {
    // Guarded at the end, then at the front: neither side may be touched.
    let lanes = dispatch(isa, Lanes::<T>(core::marker::PhantomData)).unwrap();
    let (length, pitch) = (registers * lanes, (registers + gap) * lanes);
    let blank = vec![T::from_f64(-1.0); pitch + length];
    for mut numbers in [guarded(&blank), guarded_front(&blank)] {
        let rows = WriteRows { numbers: &mut numbers, start: 0, pitch, registers, past_caches };
        // Both ends of a page are aligned to any register.
        dispatch(isa, rows).unwrap();
        for (at, &found) in numbers.iter().enumerate() {
            let (row, within) = (at / pitch, at % pitch);
            let written = 1 + row * registers + within / lanes;
            let expected = if within < length { written as f64 } else { -1.0 };
            assert!(found == T::from_f64(expected), "{isa} {} at {at}", T::NAME);
        }
    }
}

struct Lanes<T>(core::marker::PhantomData<T>);

impl<T: Real> Visitor for Lanes<T> {
    type Output = usize;

    fn visit<V: Vocabulary>(self, _: V) -> usize {
        T::lanes::<V::Floats>()
    }
}

#[test]
fn regions_write_their_rows_and_nothing_else() {
    each_isa(|isa| {
        for registers in [1, 2, 7] {
            for gap in [0, 1, 3] {
                for past_caches in [false, true] {
                    rows_are_written::<f32>(isa, registers, gap, past_caches);
                    rows_are_written::<f64>(isa, registers, gap, past_caches);
                }
            }
        }
    });
}

#[test]
fn rows_that_do_not_fit_are_refused() {
    each_isa(|isa| {
        let mut numbers = Buffer::<f32>::zeroed(256).unwrap();
        let mut refused = |start, pitch, registers, past_caches| {
            let numbers = &mut numbers;
            let rows = WriteRows { numbers, start, pitch, registers, past_caches };
            catch_unwind(AssertUnwindSafe(|| dispatch(isa, rows).unwrap())).is_err()
        };
        for past_caches in [false, true] {
            assert!(!refused(0, 128, 128 / 16, past_caches), "rows that fit");
            assert!(refused(257, 128, 1, past_caches), "a start behind the end");
            assert!(refused(0, 250, 16, past_caches), "a row past the end");
            assert!(refused(0, 0, 1, past_caches), "a row into the next");
        }
        let lanes = dispatch(isa, Lanes::<f32>(core::marker::PhantomData)).unwrap();
        assert!(!refused(1, 128, 1, false), "ordinary stores go anywhere");
        assert_eq!(refused(1, 128, 1, true), lanes > 1, "a streamed row must be aligned");
        assert_eq!(refused(0, 129, 1, true), lanes > 1, "and so must the next");
    });
}

struct PrefetchAnything;

impl Visitor for PrefetchAnything {
    type Output = ();

    fn visit<V: Vocabulary>(self, token: V) {
        let page = guarded(&[0u8; 4096]);
        let addresses =
            [core::ptr::null(), page.as_ptr().wrapping_add(4096), usize::MAX as *const u8];
        token.run(
            #[inline(always)]
            || {
                addresses.map(|address| {
                    token.floats().prefetch(address);
                    token.floats().prefetch_second(address);
                })
            },
        );
    }
}

#[test]
fn any_address_may_be_prefetched() {
    each_isa(|isa| dispatch(isa, PrefetchAnything).unwrap());
}
