//! Rows that are gone along register by register: what is read and written, and nothing else.

use std::marker::PhantomData;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tilewise::Isa;
use tilewise::vector::{
    FloatExtra, Real, Sinks, Spots, Strip, Target, Visitor, Vocabulary, Windows, along, dispatch,
    store, stream,
};
use tilewise_tests::{each_isa, guarded, guarded_front};

/// Registers of a row that is written; one that is read has one more before them.
const COUNT: usize = 5;
const ROWS: usize = 2;

/// `RUN` registers of three strips, of which two are given, and two targets.
type Here<'w, 'a, S, T, const RUN: usize> = Spots<'w, 'a, S, T, 3, 1, 1, 2, RUN>;

fn refused<R>(what: impl FnOnce() -> R) -> bool {
    catch_unwind(AssertUnwindSafe(what)).is_err()
}

fn counted<T: Real>(first: usize, count: usize) -> Vec<T> {
    (first..first + count).map(|number| T::from_f64(number as f64)).collect()
}

/// Reads two strips of two rows and writes two targets of them, two registers at a time and then one.
struct GoAlong<T> {
    registers: Range<usize>,
    /// Registers there are to read and to write.
    there: [usize; 2],
    past_caches: bool,
    number: PhantomData<T>,
}

impl<T: Real> Visitor for GoAlong<T> {
    /// Where both stopped, if it was not refused.
    type Output = Option<[usize; 2]>;

    fn visit<V: Vocabulary>(self, token: V) -> Self::Output {
        let GoAlong { registers, there, past_caches, .. } = self;
        let (simd, lanes, beside) = (token.floats(), T::lanes::<V::Floats>(), Strip::<T>::BESIDE);
        let (length, written) = ((COUNT + 1) * lanes, COUNT * lanes);
        let from = [0, 500].map(|first| guarded(&counted::<T>(first, ROWS * length + 2 * beside)));
        let strips = [0, 1].map(|strip| Strip::new(&from[strip], length, ROWS, length));
        let mut to = guarded(&vec![T::default(); 2 * ROWS * written]);
        let mut stopped = None;
        let mut work = |to: Target<'_, T>| {
            let windows = Windows::<V::Floats, T, 3, 1>::new(&strips, ROWS, lanes, there[0]);
            let rows = [0, written].map(|start| to.rows(start, 2 * written, ROWS, written));
            let sinks = Sinks::<V::Floats, T, 1, 2>::new(simd, &rows, ROWS, there[1]);
            for row in 0..ROWS {
                let (window, sink) = (windows.row(row), sinks.row(row));
                let two = along(
                    (&window, &sink),
                    registers.clone(),
                    #[inline(always)]
                    |spots: Here<'_, '_, V::Floats, T, 2>| {
                        for next in 0..2 {
                            let spot = spots.spot(next);
                            let sum = T::plus(simd, spot.get(0, 1), spot.get(1, 0));
                            spots.put(0, 0, next, sum);
                            spots.put(1, 0, next, spot.get(2, -1));
                        }
                    },
                );
                let left = along(
                    (&window, &sink),
                    two..registers.end,
                    #[inline(always)]
                    |spots: Here<'_, '_, V::Floats, T, 1>| {
                        let spot = spots.spot(0);
                        let sum = T::plus(simd, spot.get(0, 1), spot.get(1, 0));
                        spots.put(0, 0, 0, sum);
                        spots.put(1, 0, 0, spot.get(2, -1));
                    },
                );
                stopped = Some([two, left]);
            }
        };
        let was_refused = refused(|| {
            token.run(
                #[inline(always)]
                || match past_caches {
                    true => stream(simd, &mut to, |region| work(Target::region(region))),
                    false => store(simd, &mut to, |region| work(Target::region(region))),
                },
            );
        });
        assert_eq!(was_refused, stopped.is_none());
        for (at, &found) in to.iter().enumerate() {
            let (row, target) = (at / (2 * written), at / written % 2);
            let register = at % written / lanes;
            // Of the row that is read and of the first one, with what stands beside them; the latter
            // stands for a strip that is missing.
            let first = beside + lanes + at % written;
            let own = first + row * length;
            let expected = match [own + 1 + 500 + own, first - 1][target] {
                value if stopped.is_some() && registers.contains(&register) => value,
                _ => 0,
            };
            let place = format!("{} target {target}, row {row}, register {register}", V::ISA);
            assert!(found == T::from_f64(expected as f64), "{place}");
        }
        stopped
    }
}

#[test]
fn registers_are_gone_along_up_to_the_last_and_no_further() {
    fn go<T: Real>(
        isa: Isa,
        registers: Range<usize>,
        there: [usize; 2],
        past_caches: bool,
    ) -> Option<[usize; 2]> {
        dispatch(isa, GoAlong::<T> { registers, there, past_caches, number: PhantomData }).unwrap()
    }
    each_isa(|isa| {
        for past_caches in [false, true] {
            let go = |registers: Range<usize>, there| {
                let single = go::<f32>(isa, registers.clone(), there, past_caches);
                assert_eq!(go::<f64>(isa, registers, there, past_caches), single);
                single
            };
            assert_eq!(go(0..5, [5, 5]), Some([4, 5]));
            assert_eq!(go(1..5, [5, 5]), Some([5, 5]));
            assert_eq!(go(2..3, [3, 4]), Some([2, 3]));
            assert_eq!(go(2..2, [3, 3]), Some([2, 2]));
            assert_eq!(go(0..4, [3, 4]), None, "more than can be read");
            assert_eq!(go(0..4, [4, 3]), None, "more than can be written");
            assert_eq!(go(Range { start: 3, end: 2 }, [5, 5]), None, "backwards");
        }
    });
}

/// Asks for what there is not.
struct Beyond<T>(PhantomData<T>);

impl<T: Real> Visitor for Beyond<T> {
    type Output = ();

    fn visit<V: Vocabulary>(self, token: V) {
        let (simd, lanes, margin) = (token.floats(), T::lanes::<V::Floats>(), Strip::<T>::BESIDE);
        let length = COUNT * lanes;
        let from = guarded(&counted::<T>(0, length + 2 * margin));
        let mut to = guarded(&vec![T::default(); length]);
        assert!(refused(|| Strip::new(&from, usize::MAX, 2, length)));
        assert!(refused(|| Strip::new(&from, 0, 1, length + 1)));
        // Where overflow is checked these three would be refused in any case.
        assert!(refused(|| Strip::new(&from, 0, 1, usize::MAX - margin)));
        let strips = [Strip::new(&from, 0, 1, length)];
        let windows = |start, count| Windows::<V::Floats, T, 2, 1>::new(&strips, 1, start, count);
        for (start, count) in
            [(0, COUNT + 1), (1, COUNT), (length + 1, 0), (0, 1 << 62), (usize::MAX - 3, 1)]
        {
            assert!(refused(|| windows(start, count)), "{count} from {start}");
        }
        assert!(refused(|| Windows::<V::Floats, T, 2, 1>::new(&[], 1, 0, 0)), "no strips");
        assert!(refused(|| Windows::<V::Floats, T, 2, 1>::new(&strips, 2, 0, 1)), "two rows");
        let three = [strips[0]; 3];
        assert!(refused(|| Windows::<V::Floats, T, 2, 1>::new(&three, 1, 0, 1)), "more strips");
        let windows = windows(0, COUNT);
        assert!(refused(|| windows.row(1)));
        let window = windows.row(0);
        let zero = T::splat(simd, T::default());
        let mut at_last = false;
        store(simd, &mut to, |region| {
            let target = Target::region(region);
            assert!(refused(|| target.rows(1, 0, 1, length)) && !target.past_caches());
            assert!(refused(|| target.rows(0, usize::MAX, 2, length)));
            let rows = [target.rows(0, 0, 1, length)];
            let sinks = |rows, count| Sinks::<V::Floats, T, 1, 1>::new(simd, rows, 1, count);
            assert!(refused(|| sinks(&rows, COUNT + 1)) && refused(|| sinks(&[], 1)));
            let sinks = sinks(&rows, COUNT);
            assert!(refused(|| sinks.row(1)));
            let sink = sinks.row(0);
            let body = |spots: Spots<'_, '_, V::Floats, T, 2, 1, 1, 1, 2>| {
                assert!(refused(|| spots.spot(2)) && refused(|| spots.put(0, 0, 2, zero)));
                assert!(refused(|| spots.put(0, 1, 0, zero)), "a row");
                assert!(refused(|| spots.put(1, 0, 0, zero)), "a target");
                at_last = true;
            };
            along((&window, &sink), COUNT - 2..COUNT, body);
            assert!(refused(|| sink.put(0, 0, COUNT, zero)));
        });
        assert!(at_last, "the last two registers");
        let streams = stream(simd, &mut to, |region| {
            let target = Target::region(region);
            let rows = [target.rows(1, 0, 1, length - 1)];
            let sinks = || Sinks::<V::Floats, T, 1, 1>::new(simd, &rows, 1, 1);
            assert_eq!(refused(sinks), target.past_caches(), "a row off its place");
            target.past_caches()
        });
        assert_eq!(streams, V::Floats::STREAMS);
        assert!(refused(|| window.spot(COUNT).address(0)));
        for (strip, off) in [(0, 2), (0, -2), (2, 0)] {
            assert!(refused(|| window.spot(0).get(strip, off)), "{strip}, {off}");
        }
        assert!(refused(|| window.spot(0).right(2)));
    }
}

#[test]
fn what_there_is_not_is_neither_read_nor_written() {
    each_isa(|isa| {
        dispatch(isa, Beyond::<f32>(PhantomData)).unwrap();
        dispatch(isa, Beyond::<f64>(PhantomData)).unwrap();
    });
}

/// Reads the registers of a guarded row and those beside it, and no others.
struct ReadBeside<T>(PhantomData<T>);

impl<T: Real> Visitor for ReadBeside<T> {
    type Output = ();

    fn visit<V: Vocabulary>(self, token: V) {
        let (lanes, margin) = (T::lanes::<V::Floats>(), Strip::<T>::BESIDE);
        let length = COUNT * lanes;
        let all = counted::<T>(0, length + 2 * margin);
        for numbers in [guarded(&all), guarded_front(&all)] {
            let strips = [Strip::new(&numbers, 0, 1, length)];
            let windows = Windows::<V::Floats, T, 2, 1>::new(&strips, 1, 0, COUNT);
            let window = windows.row(0);
            let read = |index| {
                token.run(
                    #[inline(always)]
                    || window.beside(0, index),
                )
            };
            let right = |index| {
                token.run(
                    #[inline(always)]
                    || window.spot(index).right(0),
                )
            };
            let holds = |register: T::Register<V::Floats>, index: isize| {
                let found: &[T] = bytemuck::cast_slice(std::slice::from_ref(&register));
                let first = margin.wrapping_add_signed(index * lanes as isize);
                assert_eq!(found, &all[first..first + lanes], "{} register {index}", V::ISA);
            };
            for index in -1..=COUNT as isize {
                holds(read(index), index);
            }
            for index in 0..COUNT {
                holds(right(index), index as isize + 1);
            }
            for index in [-2, COUNT as isize + 1] {
                assert!(refused(|| read(index)), "{} register {index}", V::ISA);
            }
            assert!(refused(|| right(COUNT)), "{}", V::ISA);
            assert!(refused(|| window.beside(2, 0)), "{}: a strip too many", V::ISA);
        }
    }
}

#[test]
fn what_stands_beside_a_row_is_read_and_no_more() {
    each_isa(|isa| {
        dispatch(isa, ReadBeside::<f32>(PhantomData)).unwrap();
        dispatch(isa, ReadBeside::<f64>(PhantomData)).unwrap();
    });
}
