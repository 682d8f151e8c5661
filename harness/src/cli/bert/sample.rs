//! Whether what an encoder makes of token numbers is right.

use super::open::Opened;
use crate::cli::failure::Failure;
use serde_json::{Value, json};
use tilewise::attention::Attention;
use tilewise::{Solo, Team};
use tilewise_harness::bert::{Batch, Encoder, Error, Expected, Precision, Room, reference};
use tilewise_harness::workload::Check;

/// Tokens of the sequence that is compared with the reference, which takes seconds for more: as
/// many as it takes for attention in bytes.
const PROBE: usize = Attention::FEWEST_IN_BYTES;

/// Sequences of a batch that are run once more, alone and on one thread: more would take longer than
/// what is measured.
const ALONE: usize = 8;

/// Compares a few tokens with plain loops in 64 bits, and a few sequences of the batch with
/// [themselves](alone).
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
    let failure = |error| model.failure(error);
    let exact = reference::encode(&model.config, &*model.source, &probe).map_err(failure)?;
    let expected = Expected::new(&exact, model.config.hidden);
    let states = encoder.encode(&probe, &mut room, team).map_err(failure)?;
    let reference = format!("plain loops in 64 bits for {} tokens", probe.tokens());
    let mut check = expected.check(&reference, precision, states.data());
    let equal = alone(encoder, batch, team).map_err(failure)?;
    if !equal.passed() {
        return Ok(equal);
    }
    check.reference += &format!("; {}", equal.reference);
    Ok(check)
}

/// Compares a few sequences of a batch with themselves alone on one thread, to the bit.
pub(super) fn alone(encoder: &Encoder, batch: &Batch, team: &dyn Team) -> Result<Check, Error> {
    let (mut room, mut room_of_one) = (Room::default(), Room::default());
    let together = encoder.encode(batch, &mut room, team)?;
    let columns = together.cols();
    let (mut output, mut expected) = (Vec::new(), Vec::new());
    for index in some(batch.len()) {
        let tokens = batch.sequence(index);
        output.extend_from_slice(&together.data()[tokens.start * columns..tokens.end * columns]);
        let states = encoder.encode(&one(batch, index), &mut room_of_one, &Solo)?;
        expected.extend_from_slice(states.data());
    }
    let (few, all) = (some(batch.len()).count(), batch.len());
    let title = format!("{few} of {all} sequences alone on one thread, to the bit");
    Ok(Check::compare(&title, &output, &expected, 0.0))
}

/// A sequence of a batch by itself.
fn one(batch: &Batch, index: usize) -> Batch {
    let tokens = batch.sequence(index);
    let (ids, types) = (&batch.ids()[tokens.clone()], &batch.types()[tokens]);
    let (first, second) = ids.split_at(types.partition_point(|&segment| segment == 0));
    let mut one = Batch::default();
    one.push_pair(first, second);
    one
}

/// Refuses a wrong result, so that no time of it is printed.
pub(super) fn passed(name: &str, check: Check) -> Result<Check, Failure> {
    if check.passed() {
        return Ok(check);
    }
    Err(Failure::failed(format!(
        "{name} differs from {}: largest error {:e}, allowed {:e}; no time is printed",
        check.reference, check.max_error, check.tolerance
    )))
}

/// What is printed of it.
pub(super) fn json(check: &Check) -> Value {
    json!({
        "reference": check.reference, "compared": check.compared, "max_error": check.max_error,
        "output_digest": check.output_digest,
    })
}

/// A few of so many, the first and the last among them.
fn some(sequences: usize) -> impl Iterator<Item = usize> {
    let few = sequences.min(ALONE);
    (0..few).map(move |place| place * (sequences - 1) / (few - 1).max(1))
}

#[cfg(test)]
mod tests {
    use super::{one, some};
    use tilewise_harness::bert::Batch;

    #[test]
    fn a_sequence_alone_keeps_its_segments() {
        let mut batch = Batch::default();
        batch.push(&[7, 8]);
        batch.push_pair(&[1, 2, 3], &[4]);
        let mut last = Batch::default();
        last.push_pair(&[1, 2, 3], &[4]);
        assert_eq!(one(&batch, 1), last);
        assert_eq!(one(&batch, 0).ids(), [7, 8]);
    }

    #[test]
    fn the_first_and_the_last_are_among_a_few() {
        assert_eq!(some(1).collect::<Vec<_>>(), [0]);
        assert_eq!(some(3).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(some(15).collect::<Vec<_>>(), [0, 2, 4, 6, 8, 10, 12, 14]);
        assert_eq!(some(0).count(), 0);
    }
}
