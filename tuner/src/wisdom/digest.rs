//! What a record is about, as one number: found in a table without taking memory.

use crate::machine::{Context, Identity};
use crate::problem::{Shape, Size};
use twox_hash::XxHash3_64;

/// Folds fields into a number, each with its length, so that no two lists of fields look alike.
/// The same on every machine and in every version: it stands in files.
///
/// Eight bytes at a time by the folded multiplication of wyhash (Wang Yi, 2019), because a lookup
/// comes before calls that take microseconds: it takes 88 ns on a Zen 4, 22 of them to compare what
/// was found with what was asked. With the fields gathered for xxh3, and sizes that took memory, it
/// took 290 ns without that.
pub(super) struct Fold(u64);

/// An odd number with as many ones as zeros and no pattern: wyhash's first.
const MULTIPLIER: u128 = 0xA076_1D64_78BD_642F;

/// The number of a machine and its circumstances.
pub(super) fn site(identity: &Identity, context: &Context) -> u64 {
    let text = serde_json::to_string(&(identity, context)).expect("plain data");
    XxHash3_64::oneshot(text.as_bytes())
}

impl Fold {
    pub(super) fn new(state: u64) -> Fold {
        Fold(state)
    }

    /// The kernel, its version and its types.
    #[inline]
    pub(super) fn kernel(self, kernel: &str, surface: u32, dtype: &str) -> Fold {
        self.text(kernel).number(surface.into()).text(dtype)
    }

    #[inline]
    pub(super) fn shape(self, shape: &Shape) -> Fold {
        shape.iter().fold(self, |fold, (name, size)| match size {
            Size::Number(number) => fold.text(name).number(*number as u64),
            Size::Name(kind) => fold.text(name).text(kind),
        })
    }

    #[inline]
    pub(super) fn finish(self) -> u64 {
        self.0
    }

    #[inline]
    fn text(self, text: &str) -> Fold {
        let little_endian = |piece: &[u8]| {
            piece.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
        };
        let pieces = text.as_bytes().chunks(8).map(little_endian);
        pieces.fold(self.number(text.len() as u64), Fold::number)
    }

    #[inline]
    fn number(self, number: u64) -> Fold {
        let product = u128::from(self.0 ^ number) * MULTIPLIER;
        Fold((product >> 64) as u64 ^ product as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;
    use crate::problem::{Problem, Setting, shape};
    use crate::search::Stopped;
    use crate::wisdom::{Evidence, Record, Verdict, Wisdom};

    #[test]
    fn fields_that_run_together_are_told_apart() {
        let of = |kernel: &str, dtype: &str| Fold::new(1).kernel(kernel, 1, dtype).finish();
        assert_ne!(of("gemmf", "32"), of("gemm", "f32"));
        assert_ne!(Fold::new(2).kernel("gemm", 1, "f32").finish(), of("gemm", "f32"));
        let long = "a".repeat(100);
        assert_ne!(of(&long, "f32"), of(&long[1..], "f32"));
    }

    #[test]
    fn shapes_have_numbers_of_their_own() {
        let sizes = || (0..100).map(|step| 1 + 7 * step);
        let shapes = sizes().flat_map(|m| sizes().map(move |n| (m, n)));
        let of = |(m, n): (usize, usize)| {
            let shape = shape([("k", (1 << 40).into()), ("m", m.into()), ("n", n.into())]);
            Fold::new(1).kernel("gemm", 1, "u8i8").shape(&shape).finish()
        };
        let numbers: std::collections::BTreeSet<u64> = shapes.map(of).collect();
        assert_eq!(numbers.len(), 100 * 100);
    }

    /// Of three sizes the last makes up for what the others are.
    #[test]
    fn a_number_made_to_agree_is_seen_through() {
        let machine = Machine::read();
        let setting = Setting::best(&machine);
        let asked = tilewise::gemm::Shape { m: 97, n: 512, k: 512 };
        let site = site(&setting.identity(), &setting.context());
        let before = |k: usize, m: usize| {
            let fold = Fold::new(site).kernel("gemm", tilewise::gemm::Shape::SURFACE, "u8i8");
            fold.shape(&shape([("k", k.into()), ("m", m.into())])).text("n").0
        };
        let n = before(1, 1) ^ before(asked.k, asked.m) ^ asked.n as u64;
        let evidence = Evidence {
            verdict: Verdict::Faster,
            ratio: 1.2,
            lo: 1.1,
            hi: 1.3,
            rounds: 9,
            marked: 0,
            tried: 2,
            candidates: 2,
            stopped: Stopped::Exhausted,
            seconds: 1.0,
            date: jiff::Timestamp::UNIX_EPOCH,
            version: "0".into(),
        };
        let mut record = Record::new(&asked, &setting, &asked.estimate(&setting), evidence);
        let key = record.key();
        record.shape = shape([("k", 1.into()), ("m", 1.into()), ("n", (n as usize).into())]);
        assert_eq!(record.key(), key);
        let mut wisdom = Wisdom::default();
        wisdom.add(record);
        assert!(wisdom.at(&setting).lookup(&asked).is_none());
    }

    /// Files hold these numbers: they must never come out differently.
    #[test]
    fn numbers_stay_what_they_are() {
        let sizes = shape([("m", 128.into()), ("kind", "heat7".into())]);
        let found = Fold::new(7).kernel("gemm", 1, "u8i8").shape(&sizes).finish();
        assert_eq!(found, 0xF23B_6AE8_E67F_5DB2);
    }
}
