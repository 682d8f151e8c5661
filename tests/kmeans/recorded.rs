//! What scikit-learn made of the same points: recorded by benches/peers/record_kmeans.py, with the
//! versions in the first line of the file. Points are not in it; they are hashes of their places.

use crate::problem::{Sample, plan};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use tilewise::kmeans::{Fit, KMeans, Shape, With};
use tilewise::{Matrix, Solo};

const RECORDS: &str = include_str!("../data/kmeans-scikit-learn.jsonl");

#[derive(Debug, Deserialize)]
struct Record {
    kind: String,
    n: usize,
    d: usize,
    k: usize,
    dtype: String,
    weighted: bool,
    init: String,
    /// None where scikit-learn decides itself.
    n_init: Option<usize>,
    tol: f64,
    max_iter: usize,
    far: usize,
    seed: u64,
    draws: Vec<f64>,
    seeds: Option<Vec<usize>>,
    labels: Vec<u32>,
    centres: Vec<Vec<f64>>,
    n_iter: usize,
    inertia: f64,
    score: f64,
}

/// A number from [0, 1): the splitmix64 hash of a place.
fn fraction(seed: u64, index: usize) -> f64 {
    let z = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = z.wrapping_add((index as u64).wrapping_mul(0xD134_2543_DE82_EF95));
    let z = z.wrapping_add(0x632B_E59B_D9B4_E019);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

impl Record {
    fn value(&self, row: usize, column: usize) -> f64 {
        let (d, seed) = (self.d, self.seed);
        let at = row * d + column;
        if self.kind == "uniform" {
            return fraction(seed, at);
        }
        if self.kind == "places" {
            let place = (fraction(seed + 1, row) * 9.0) as usize;
            return fraction(seed, place * d + column) * 8.0;
        }
        let blob = (fraction(seed + 1, row) * 7.0) as usize;
        let middle = fraction(seed + 2, blob * d + column) * 10.0;
        let noise = (fraction(seed, at) + fraction(seed + 3, at)) + fraction(seed + 4, at);
        let offset = if self.kind == "offset" { 1000.0 } else { 0.0 };
        if self.kind == "bytes" {
            return (middle * 22.0 + noise * 10.0).trunc();
        }
        (offset + middle) + noise
    }

    fn weights(&self) -> Option<Vec<f64>> {
        let weight = |row| (fraction(self.seed + 5, row) * 5.0).trunc() / 4.0;
        self.weighted.then(|| (0..self.n).map(weight).collect())
    }

    /// Given centres, if centres are given.
    fn start<T: Sample>(&self, rows: Matrix<'_, T>) -> Option<Vec<f64>> {
        if matches!(&self.init[..], "k-means++" | "random") {
            return None;
        }
        let mut centres = Vec::new();
        for j in 0..self.k {
            let row = (fraction(self.seed + 6, j) * self.n as f64) as usize;
            let far = if self.init == "far" && (1..=self.far).contains(&j) { 1e4 } else { 0.0 };
            centres.extend(rows.row(row).iter().map(|&x| x.into() + far));
        }
        Some(centres)
    }

    /// Fits the same, and says in which point it differs, if in any.
    fn compare<T: Sample>(&self) -> Result<(), String> {
        let value = |at| T::exactly(self.value(at / self.d, at % self.d));
        let points: Vec<T> = (0..self.n * self.d).map(value).collect();
        let rows = Matrix::new(&points, self.n, self.d).unwrap();
        let weights = self.weights();
        let plan = plan(Shape { n: self.n, d: self.d, k: self.k });
        let mut kmeans = KMeans::new(self.k).tol(self.tol).max_iter(self.max_iter);
        if let Some(starts) = self.n_init {
            kmeans = kmeans.n_init(starts);
        }
        if let Some(start) = self.start(rows) {
            kmeans = kmeans.centres(Matrix::new(&start, self.k, self.d).unwrap());
        } else if self.init == "random" {
            kmeans = kmeans.random();
        }
        let mut draws = self.draws.iter();
        let mut with = With::new(&plan, &Solo).draws(&mut draws);
        if let Some(weights) = &weights {
            with = with.weights(weights);
        }
        let fit = kmeans.fit_with(rows, with).unwrap();
        if let Some(seeds) = &self.seeds {
            let mut draws = self.draws.iter();
            let mut with = With::new(&plan, &Solo).draws(&mut draws);
            if let Some(weights) = &weights {
                with = with.weights(weights);
            }
            let chosen = kmeans.seeds(rows, with).unwrap();
            // Of points in the same place, rounding may choose another.
            let place = |chosen: &[usize]| -> Vec<Vec<T>> {
                chosen.iter().map(|row| rows.row(*row).to_vec()).collect()
            };
            same("seeds", &place(&chosen), &place(seeds))?;
        }
        let part = weights.as_ref().map(|weights| &weights[..50]);
        let score = fit.model().score(rows.slice_rows(0..50), part).unwrap();
        close("score", score, self.score, self.rounding::<T>() * self.size())?;
        self.compare_fit::<T>(&fit)
    }

    /// How far rounding may take values of size 1: scikit-learn computes in the type of the
    /// points, with matrix products.
    fn rounding<T: Sample>(&self) -> f64 {
        let eps = if T::NAME == "f32" { f64::from(f32::EPSILON) } else { f64::EPSILON };
        16.0 * eps * (self.n as f64).sqrt()
    }

    /// Of squared distances, all together.
    fn size(&self) -> f64 {
        let largest = self.centres.iter().flatten().fold(1.0, |most, c| f64::max(most, c.abs()));
        self.inertia.max(1.0) + largest * (self.inertia * self.n as f64).sqrt().max(1.0)
    }

    fn compare_fit<T: Sample>(&self, fit: &Fit<T::Centre>) -> Result<(), String> {
        close("inertia", fit.inertia(), self.inertia, self.rounding::<T>() * self.size())?;
        let theirs: BTreeSet<u32> = self.labels.iter().copied().collect();
        same("clusters", &[fit.clusters()], &[theirs.len()])?;
        if self.kind == "places" && self.k > 9 {
            // More centres than places: which equal centre a point goes to, and how long it takes
            // to see that none is nearer, rounding decides there.
            return Ok(());
        }
        same("iterations", &[fit.iterations()], &[self.n_iter])?;
        // Which of several empty clusters takes which far point is numpy's affair: its numbers are
        // compared up to their order. One name for each of as many clusters is another one for each.
        let names: BTreeMap<u32, u32> =
            fit.labels().iter().zip(&self.labels).map(|(ours, theirs)| (*ours, *theirs)).collect();
        let free = self.init == "far" && self.far > 1;
        let name = |label: &u32| if free { names[label] } else { *label };
        let labels: Vec<u32> = fit.labels().iter().map(name).collect();
        same("labels", &labels, &self.labels)?;
        for (label, centre) in self.centres.iter().enumerate() {
            let row = (0..self.k).find(|row| name_of(&names, *row, free) == label);
            let Some(row) = row else { continue };
            for (ours, theirs) in fit.centres().row(row).iter().zip(centre) {
                close(
                    "centre",
                    (*ours).into(),
                    *theirs,
                    self.rounding::<T>() * (1.0 + theirs.abs()),
                )?;
            }
        }
        Ok(())
    }
}

/// What scikit-learn calls our cluster; with the numbers free, only those with points have a name.
fn name_of(names: &BTreeMap<u32, u32>, row: usize, free: bool) -> usize {
    let found = names.get(&(row as u32)).map(|name| *name as usize);
    if free { found.unwrap_or(usize::MAX) } else { row }
}

fn same<V: PartialEq + std::fmt::Debug>(
    what: &str,
    ours: &[V],
    theirs: &[V],
) -> Result<(), String> {
    if ours.len() != theirs.len() {
        return Err(format!("{what}: {}, not {}", ours.len(), theirs.len()));
    }
    match ours.iter().zip(theirs).position(|(ours, theirs)| ours != theirs) {
        Some(at) => Err(format!("{what}: {:?}, not {:?}, at {at}", ours[at], theirs[at])),
        None => Ok(()),
    }
}

fn close(what: &str, ours: f64, theirs: f64, most: f64) -> Result<(), String> {
    let apart = (ours - theirs).abs();
    if apart <= most {
        Ok(())
    } else {
        Err(format!("{what}: {ours}, not {theirs}; {apart:e} > {most:e}"))
    }
}

#[test]
fn fits_are_those_of_scikit_learn() {
    let (mut wrong, mut compared, mut starts) = (Vec::new(), 0, BTreeSet::new());
    for line in RECORDS.lines().skip(1) {
        let record: Record = serde_json::from_str(line).unwrap();
        let result = match &record.dtype[..] {
            "f32" => record.compare::<f32>(),
            "f64" => record.compare::<f64>(),
            _ => record.compare::<u8>(),
        };
        compared += 1;
        let Record { kind, n, d, k, dtype, init, weighted, .. } = record;
        if let Err(reason) = result {
            wrong.push(format!(
                "{kind} {n} x {d}, k {k}, {dtype}, {init}, weighted {weighted}: {reason}"
            ));
        }
        starts.insert((dtype, init, weighted));
    }
    assert!(compared > 180, "{compared} records");
    assert!(wrong.is_empty(), "{} of {compared} differ:\n  {}", wrong.len(), wrong.join("\n  "));
    // Three types from four kinds of start, weighted or not.
    assert_eq!(starts.len(), 3 * 4 * 2, "{starts:?}");
}
