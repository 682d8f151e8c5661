//! The plain opponents of the forward pass: right in every build and every order.

use crate::forward::{batch, config, far_apart};
use tilewise_harness::baseline::{Baseline, Vectorisation, bert as plain};
use tilewise_harness::bert::{
    Activation, Batch, Expected, Operation, Precision, Synthetic, reference,
};

/// Every build this CPU can run.
fn builds() -> impl Iterator<Item = Baseline> {
    let both = |level| {
        [Vectorisation::Off, Vectorisation::Auto].map(|arm| Baseline::at(level, arm)).into_iter()
    };
    Baseline::levels().flat_map(both).flatten()
}

#[test]
fn plain_code_is_close_to_the_reference_in_every_build_and_order() {
    let (batch, source) = (batch(&[1, 17, 80, 3, 49]), Synthetic { seed: 7 });
    let exact = reference::encode(&config(), &source, &batch).unwrap();
    let model = plain::Model::read(&config(), &source).unwrap();
    let mut room = plain::Room::default();
    for build in builds() {
        for order in plain::Order::ALL {
            // What stands in the room from another pass must not matter.
            build.encode(order, &model, &batch, &mut room).unwrap();
            let states = build.encode(order, &model, &batch, &mut room).unwrap();
            let gap = far_apart(states, &exact);
            assert!(gap < 1e-4, "{build}, {order}: {gap:e}");
        }
    }
    let times = room.take_times();
    assert!(Operation::ALL.iter().all(|&each| !times.of(each).is_zero()), "{times:?}");
    assert!(room.take_times().total().is_zero());

    let mut other = config();
    other.activation = Activation::Relu;
    let model = plain::Model::read(&other, &source).unwrap();
    let error = Baseline::auto().encode(plain::Order::Dots, &model, &batch, &mut room);
    let message = error.expect_err("not GELU").to_string();
    assert!(message.contains("activation other than GELU"), "{message}");
    let mut long = Batch::default();
    long.push(&[1; 81]);
    let model = plain::Model::read(&config(), &source).unwrap();
    assert!(Baseline::auto().encode(plain::Order::Dots, &model, &long, &mut room).is_err());
}

/// Sums of bytes are exact, so that a build gives the same bits in every order. (That a layer has the
/// bytes and the sums of our own is tested beside its code.)
#[test]
fn plain_code_of_bytes_is_near_the_reference_and_the_same_in_every_order() {
    let (batch, source) = (batch(&[40, 7]), Synthetic { seed: 7 });
    let exact = reference::encode(&config(), &source, &batch).unwrap();
    let expected = Expected::new(&exact, config().hidden);
    let model = plain::Model::read_in_bytes(&config(), &source).unwrap();
    let other = plain::Model::read_in_bytes(&config(), &Synthetic { seed: 8 }).unwrap();
    let mut room = plain::Room::default();
    for build in builds() {
        let states = plain::Order::ALL.map(|order| {
            // What stands in the room from another pass must not matter.
            build.encode(order, &other, &batch, &mut room).unwrap();
            build.encode(order, &model, &batch, &mut room).unwrap().to_vec()
        });
        let check = expected.check("loops", Precision::Int8, &states[0]);
        assert!(check.passed(), "{build}: {check:?}");
        let floats = expected.check("loops", Precision::Fp32, &states[0]);
        assert!(!floats.passed(), "{build}: bytes are not floats");
        assert_eq!(states[0], states[1], "{build}");
    }
    let states = Baseline::auto().encode(plain::Order::Dots, &other, &batch, &mut room).unwrap();
    assert!(!expected.check("loops", Precision::Int8, states).passed(), "another model");
}
