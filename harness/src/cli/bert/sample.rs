//! Whether what an encoder makes of token numbers is right.

use super::open::{Opened, failure};
use crate::cli::failure::Failure;
use tilewise::attention::Attention;
use tilewise::{Solo, Team};
use tilewise_harness::bert::{Batch, Encoder, Expected, Precision, Room, reference};
use tilewise_harness::workload::Check;

/// Tokens of the sequence that is compared with the reference, which takes seconds for more: as
/// many as it takes for attention in bytes.
const PROBE: usize = Attention::FEWEST_IN_BYTES;

/// Sequences of a batch that are run once more, alone and on one thread: more would take longer than
/// what is measured.
const ALONE: usize = 8;

/// Compares a few tokens with plain loops in 64 bits, and a few sequences of the batch with themselves
/// alone on one thread, to the bit.
pub(super) fn check(
    model: &Opened,
    (encoder, precision): (&Encoder, Precision<'_>),
    batch: &Batch,
    team: &dyn Team,
) -> Result<Check, Failure> {
    let mut room = Room::default();
    let first = &batch.ids()[batch.sequence(0)];
    let mut probe = Batch::default();
    probe.push(&first[..first.len().min(PROBE)]);
    let exact = reference::encode(&model.config, &*model.source, &probe).map_err(failure)?;
    let expected = Expected::new(&exact, model.config.hidden);
    let states = encoder.encode(&probe, &mut room, team).map_err(failure)?;
    let reference = format!("plain loops in 64 bits for {} tokens", probe.tokens());
    let mut check = expected.check(&reference, precision, states.data());
    let (few, all) = (some(batch.len()).count(), batch.len());
    check.reference += &format!("; {few} of {all} sequences alone on one thread, to the bit");
    let together = encoder.encode(batch, &mut room, team).map_err(failure)?;
    let mut alone = Room::default();
    for index in some(batch.len()) {
        let mut one = Batch::default();
        one.push(&batch.ids()[batch.sequence(index)]);
        let states = encoder.encode(&one, &mut alone, &Solo).map_err(failure)?;
        let columns = states.cols();
        let tokens = batch.sequence(index);
        let same = &together.data()[tokens.start * columns..tokens.end * columns];
        let title = "the same sequence alone on one thread";
        let equal = Check::compare(title, same, states.data(), 0.0);
        if !equal.passed() {
            return Ok(equal);
        }
    }
    Ok(check)
}

/// A few of so many, the first and the last among them.
fn some(sequences: usize) -> impl Iterator<Item = usize> {
    let few = sequences.min(ALONE);
    (0..few).map(move |place| place * (sequences - 1) / (few - 1).max(1))
}

#[cfg(test)]
mod tests {
    use super::some;

    #[test]
    fn the_first_and_the_last_are_among_a_few() {
        assert_eq!(some(1).collect::<Vec<_>>(), [0]);
        assert_eq!(some(3).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(some(15).collect::<Vec<_>>(), [0, 2, 4, 6, 8, 10, 12, 14]);
        assert_eq!(some(0).count(), 0);
    }
}
