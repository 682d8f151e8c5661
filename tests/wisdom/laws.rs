//! Laws that hold for whatever is merged, and for whatever damage files come to.

use crate::support::{Tiles, bytes, elsewhere, record, two, wisdom};
use proptest::prelude::*;
use tilewise_tuner::machine::Machine;
use tilewise_tuner::problem::Problem;
use tilewise_tuner::wisdom::{Record, Wisdom};

#[test]
fn more_evidence_stays_and_a_later_revision_against_any() {
    let machine = Machine::read();
    let (little, much) = (record(&machine, 12, 2, 6), record(&machine, 12, 3, 30));
    let anew = Record { revision: 1, ..little.clone() };
    // Neither the greater gain nor rounds that were disturbed make evidence.
    let surer = {
        let mut surer = record(&machine, 12, 4, 30);
        let evidence = &mut surer.evidence;
        (evidence.lo, evidence.ratio, evidence.hi) = (1.1, 1.11, 1.12);
        surer
    };
    let disturbed = {
        let mut disturbed = record(&machine, 12, 6, 40);
        disturbed.evidence.marked = 20;
        disturbed
    };
    for (one, other, stays) in [
        (&little, &much, &much),
        (&much, &anew, &anew),
        (&much, &surer, &surer),
        (&much, &disturbed, &much),
    ] {
        for order in [[one, other], [other, one]] {
            assert_eq!(wisdom(order.map(Clone::clone)).records(), [stays]);
        }
    }
}

/// A few records about few subjects, so that they collide: elsewhere, size, tile, rounds, revision.
fn some_wisdom() -> impl Strategy<Value = Vec<(bool, usize, usize, usize, u32)>> {
    proptest::collection::vec((any::<bool>(), 1..4usize, 1..4usize, 6..9usize, 0..2u32), 0..8)
}

proptest! {
    #[test]
    fn merging_is_the_same_in_any_order_and_however_often(
        a in some_wisdom(), b in some_wisdom(), c in some_wisdom(),
    ) {
        let machines = [Machine::read(), elsewhere()];
        let make = |some: &[(bool, usize, usize, usize, u32)]| wisdom(some.iter().map(
            |&(there, n, size, rounds, revision)| {
                Record { revision, ..record(&machines[usize::from(there)], n, size, rounds) }
            },
        ));
        let merge = |mut one: Wisdom, other: &Wisdom| { one.merge(other.clone()); one };
        let (a, b, c) = (make(&a), make(&b), make(&c));
        let all = merge(merge(a.clone(), &b), &c);
        prop_assert_eq!(&all, &merge(a.clone(), &merge(b.clone(), &c)));
        prop_assert_eq!(&all, &merge(merge(c.clone(), &b), &a));
        prop_assert_eq!(&all, &merge(all.clone(), &b));
    }

    /// Flipped bits, cut ends, numbers grown huge: nothing panics, and no line that is not as it
    /// was written is used.
    #[test]
    fn no_damage_makes_loading_panic_or_changes_a_record(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), 0..8u32), 0..6),
        grown in proptest::option::of(any::<prop::sample::Index>()),
        end in any::<prop::sample::Index>(),
    ) {
        let machine = Machine::read();
        let whole = bytes((1..4).map(|n| record(&machine, 12 * n, n, 9)));
        let mut damaged = whole.clone();
        for (at, bit) in flips {
            let at = at.index(damaged.len());
            damaged[at] ^= 1 << bit;
        }
        if let Some(at) = grown {
            let digits: Vec<usize> =
                (0..damaged.len()).filter(|&at| damaged[at].is_ascii_digit()).collect();
            let at = digits[at.index(digits.len())];
            damaged.splice(at..at, "9".repeat(400).into_bytes());
        }
        damaged.truncate(end.index(damaged.len() + 1));
        let held = Wisdom::parse(&damaged);
        let before = Wisdom::parse(&whole);
        for record in held.records() {
            prop_assert!(before.records().contains(&record), "invented: {record:?}");
        }
        let lines = damaged.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
        prop_assert_eq!(held.records().len() + held.bad_lines().len(), lines.count());
        for n in [12, 24, 36] {
            let chosen = held.choose(&Tiles { n }, &two(&machine));
            prop_assert_eq!(Tiles { n }.check(machine.best_isa, &chosen.recipe), Ok(()));
        }
    }

    /// Lines with a right checksum around anything at all, as a forger would make them.
    #[test]
    fn no_forgery_makes_loading_panic(record in ".{0,200}", key in any::<u64>()) {
        let tail = format!("\",\"key\":\"{key:016x}\",\"record\":{record}}}");
        let sum = twox_hash::XxHash3_64::oneshot(tail.as_bytes());
        let line = format!("{{\"schema\":3,\"sum\":\"{sum:016x}{tail}");
        let mut held = Wisdom::parse(line.as_bytes());
        prop_assert_eq!(held.records().len(), 0);
        held.merge(Wisdom::parse(line.as_bytes()));
        let machine = Machine::read();
        prop_assert_eq!(held.choose(&Tiles { n: 12 }, &two(&machine)).recipe.size, 1);
    }
}
