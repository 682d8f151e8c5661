//! Candidates that look good and are not: none may win, and what is wrong with each is told.

use crate::fake::{Fake, Fault, plain_with};
use tilewise_tuner::search::Strategy;
use tilewise_tuner::wisdom::Verdict;

/// Recipe 40 is ten times as fast as anything and has a fault; 41 is honestly faster.
fn trap(fault: Fault) -> Fake {
    Fake::new(plain_with(&[0.1, 0.9]), 4).with(40, fault)
}

#[test]
fn fast_and_wrong_is_rejected() {
    let found = trap(Fault::Wrong).search(10.0, |s| s.strategy(Strategy::Exhaustive)).unwrap();
    assert_eq!(found.record.recipe, 41);
    assert_eq!(found.rejected, [("40".to_owned(), "one is two".to_owned())]);
    let refused = Fake::new(plain_with(&[]), 4).with(0, Fault::Wrong).tune(10.0).unwrap_err();
    assert_eq!(refused.to_string(), "the default recipe (0) of fake is wrong: one is two");
}

#[test]
fn what_panics_is_rejected() {
    for (verified, why) in [(true, "out of bounds"), (false, "while it was timed")] {
        let fake = trap(Fault::Panics { verified });
        let found = fake.search(10.0, |s| s.strategy(Strategy::Exhaustive)).unwrap();
        assert_eq!(found.record.recipe, 41);
        assert_eq!(found.rejected, [("40".to_owned(), format!("it panicked: {why}"))]);
    }
}

/// Fast once, through the first batch, through all of the screening, through the race: the samples
/// of the next stage tell. In the confirmation there is no next stage, but an interval needs most
/// of its rounds.
#[test]
fn what_is_fast_only_at_first_does_not_win() {
    for calls in [1, 10, 100, 300, 2000] {
        let mut fake = trap(Fault::FastAtFirst(calls));
        fake.seconds[40] = 1.1e-4;
        let found = fake.search(10.0, |s| s.strategy(Strategy::Exhaustive)).unwrap();
        let recipe = &found.record.recipe;
        assert!(*recipe != 40, "{calls}: {:?}", found.record.evidence);
    }
    let mut fake = trap(Fault::FastAtFirst(1));
    fake.seconds[40] = 1.1e-4;
    let found = fake.search(10.0, |s| s.strategy(Strategy::Exhaustive)).unwrap();
    assert_eq!(
        (&found.record.recipe, found.record.evidence.verdict),
        (&41.into(), Verdict::Faster)
    );
}
