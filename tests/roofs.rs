//! Roofs: what is counted, what is refused, and that every probe really runs.

use std::time::Duration;
use tilewise::cache::CacheSizes;
use tilewise::{Isa, Solo, SpinTeam, Team};
use tilewise_harness::roofs::{self, Error, Memory, Pattern, Probe, Quantity, probes, working_set};
use tilewise_tests::each_isa;
use tilewise_tuner::measure::Stopwatch;

/// Small caches keep the memory of a probe small.
fn caches() -> CacheSizes {
    CacheSizes { l1d: 32 << 10, l2: 128 << 10, l3: 1 << 20, ..CacheSizes::ASSUMED }
}

#[test]
fn every_roof_of_every_instruction_set_is_measured() -> Result<(), Box<dyn std::error::Error>> {
    let team = SpinTeam::new(2)?;
    each_isa(|isa| {
        let probes = probes(&[isa], team.size(), &caches()).expect("probes");
        let stopwatch = Stopwatch::within(Duration::from_millis(1));
        let roofs = roofs::measure(stopwatch, &probes, &team).expect("roofs");
        assert_eq!(roofs.len(), probes.len());
        for (roof, probe) in roofs.iter().zip(&probes) {
            assert_eq!(roof.name, probe.name());
            assert!(0.0 < roof.lo && roof.lo <= roof.value && roof.value <= roof.hi, "{roof:?}");
        }
        let computes = roofs.iter().filter(|roof| roof.working_set == 0).count();
        assert_eq!(computes, if isa == Isa::Scalar { 0 } else { 4 }, "{isa}");
    });
    Ok(())
}

#[test]
fn names_are_unique_and_levels_are_separate() -> Result<(), Box<dyn std::error::Error>> {
    let isas: Vec<Isa> = Isa::available().collect();
    let mut names: Vec<String> = probes(&isas, 3, &caches())?.iter().map(Probe::name).collect();
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all);
    for threads in [1, 2, 8] {
        let sizes = [Memory::L1, Memory::L2, Memory::L3, Memory::Dram]
            .map(|memory| working_set(memory, threads, &CacheSizes::detect()));
        assert!(sizes.is_sorted(), "{sizes:?}");
    }
    let none = CacheSizes { l3: 128 << 10, ..caches() };
    assert!(probes(&isas, 1, &none)?.iter().all(|probe| !probe.name().contains("L3")));
    Ok(())
}

#[test]
fn what_cannot_be_measured_says_why() -> Result<(), Box<dyn std::error::Error>> {
    let reads = Quantity::Bandwidth { memory: Memory::L1, pattern: Pattern::Read };
    let two = Probe::new(reads, Isa::Scalar, 2, &caches())?;
    let message = two.run(&Solo).expect_err("a team of one").to_string();
    assert_eq!(message, "a probe for 2 threads was given a team of 1; use a team of that size");
    assert!(matches!(Probe::new(reads, Isa::Scalar, 0, &caches()), Err(Error::NoThreads)));
    let plain = Probe::new(Quantity::Int8Compute, Isa::Scalar, 1, &caches());
    assert!(matches!(plain, Err(Error::Plain)));
    for isa in Isa::ALL.into_iter().filter(|isa| !isa.is_available()) {
        assert!(matches!(Probe::new(reads, isa, 1, &caches()), Err(Error::Isa(_))));
    }
    Ok(())
}
