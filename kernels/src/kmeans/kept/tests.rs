//! What is kept is a bound, and labels that stay are right.

use super::super::lloyd::Lloyd;
use super::super::reference::{assign, squared_distance};
use super::super::table::tiles;
use super::super::task::Task;
use super::super::{Form, Plan, Recipe, Source};
use super::*;
use crate::cache::CacheSizes;
use crate::points::Element;
use crate::vector::Real;
use crate::{Isa, Matrix, Solo, SpinTeam};

/// Numbers from 0 to 1.
fn noise(count: usize, mut seed: u64) -> impl Iterator<Item = f64> {
    core::iter::repeat_with(move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 40) as f64 / f64::from(1 << 24)
    })
    .take(count)
}

/// Points around so many places, and plans of every form and instruction set, boxes and not.
fn each_plan<T: Element>(
    (shape, offset, count): (Shape, f64, usize),
    of: impl Fn(f64) -> T,
    check: impl Fn(&mut Lloyd<'_, T>, Matrix<'_, T>, &str),
) {
    let Shape { n, d, k } = shape;
    let places: Vec<f64> = noise(k * d, 5).collect();
    let around = noise(n * d, 7).enumerate().map(|(at, x)| {
        let place = places[at / d % count * d + at % d];
        of(offset + 100.0 * (place + 0.1 * x))
    });
    let points: Vec<T> = around.collect();
    let rows = Matrix::new(&points, n, d).unwrap();
    let (alone, team) = (&Solo, SpinTeam::new(2).unwrap());
    for isa in Isa::available() {
        for form in [Form::Lanes, Form::Tile, Form::Bytes] {
            let estimate = Recipe::estimate(shape, isa, &CacheSizes::ASSUMED, 2);
            for (bounds, tile) in [(false, tiles(form, isa)[0]), (true, tiles(form, isa)[0])] {
                let recipe = Recipe { form, tile, bounds, ..estimate };
                let Ok(plan) = Plan::new(shape, isa, recipe) else { continue };
                let source = Source::Rows(rows);
                let task = Task { source, weights: None, plan: &plan, team: alone };
                let task = if bounds { Task { team: &team, ..task } } else { task };
                let largest = task.check(k).unwrap();
                let mut lloyd = Lloyd::new(task, None, &largest).unwrap();
                let start = points[..k * d].iter().map(|&x| T::Centre::from_f64(x.into()));
                lloyd.start(start.collect());
                // Not a sample: all.
                lloyd.kept.as_mut().unwrap().moved.who = Who::Begins;
                check(&mut lloyd, rows, &alloc::format!("{isa} {recipe} {}", T::NAME));
            }
        }
    }
}

fn until<T: Element>(lloyd: &Lloyd<'_, T>) -> Vec<f32> {
    lloyd.kept.as_ref().unwrap().until.clone()
}

/// What is kept of a first iteration is by how much the second centre is farther: never more,
/// and nearly as much where rounding does not hide it.
fn slacks_are_bounds<T: Element>((shape, offset): (Shape, f64), of: impl Fn(f64) -> T) {
    each_plan((shape, offset, shape.k), of, |lloyd, rows, name| {
        let Shape { n, d, k } = shape;
        lloyd.label().unwrap();
        let centres = lloyd.centres.clone();
        let centres = Matrix::new(&centres, k, d).unwrap();
        let (mut near, mut clear) = (0, 0);
        for (point, until) in until(lloyd).into_iter().enumerate() {
            let to = |j: usize| squared_distance(rows.row(point), centres.row(j)).sqrt();
            let mut distances: Vec<f64> = (0..k).map(to).collect();
            distances.sort_by(f64::total_cmp);
            let gap = distances[1] - distances[0];
            assert!(until.is_nan() || f64::from(until) <= gap, "{name}: {until} of {gap}");
            clear += usize::from(gap > 20.0);
            near += usize::from(gap > 20.0 && f64::from(until) > 0.7 * gap);
        }
        // Boxes bound by their corners.
        let few = if name.contains("bounds") { 0 } else { clear * 9 / 10 };
        assert!(clear > n / 9 && near >= few, "{name}: {near} of {clear}");
    });
}

#[test]
fn slacks_are_bounds_of_every_form() {
    for shape in [Shape { n: 700, d: 13, k: 80 }, Shape { n: 333, d: 64, k: 17 }] {
        slacks_are_bounds((shape, 0.0), |x| x as f32);
        slacks_are_bounds((shape, 5000.0), |x| x as f32);
        slacks_are_bounds((shape, 0.0), |x| x);
        slacks_are_bounds((shape, 1e9), |x| x);
        slacks_are_bounds((shape, 0.0), |x| x as u8);
    }
}

/// All labels of all iterations are those of the definition, though most are not looked for.
#[test]
fn labels_that_stay_are_those_that_would_be_found() {
    let shape = Shape { n: 1500, d: 19, k: 60 };
    let same = |x: f64| x as f32;
    // Two centres for each place, that take some iterations to part its points.
    each_plan((shape, 0.0, shape.k / 2), same, |lloyd, rows, name| {
        let (mut moves, mut stayed) = (0, 0);
        for _ in 0..12 {
            lloyd.label().unwrap();
            let centres = lloyd.centres.clone();
            let centres = Matrix::new(&centres, shape.k, shape.d).unwrap();
            assert_eq!(lloyd.labels().unwrap(), assign(rows, centres).0, "{name}");
            stayed += *lloyd.kept.as_mut().unwrap().moved.stayed.get_mut();
            moves += usize::from(lloyd.move_centres().unwrap().0);
        }
        let who = lloyd.kept.as_ref().unwrap().moved.who;
        // What rounding to bytes leaves of slacks is little where two centres part a place.
        let many = name.contains("bytes") || (who == Who::All && stayed > shape.n);
        assert!(moves > 2 && many, "{name}: {moves}, {stayed}");
    });
}

#[test]
fn what_moved_away_and_what_came_nearer_are_both_counted() {
    let mut kept = Kept::new(Shape { n: 3, d: 1, k: 2 }).unwrap();
    let scalar = Scalar::new();
    assert_eq!(kept.moved.keeps(0), Some(false), "no labels yet");
    kept.moved([1.0, 4.0].into_iter());
    // The first has moved by 1, the second by 2, the farther of them by 2.
    assert_eq!(kept.moved.open(scalar, &[0, 1, 0], &[3.1, 3.1, 2.9]), 0b110);
    assert_eq!(kept.moved.open(scalar, &[0, 1, 0], &[f32::NAN, 4.1, 3.0]), 0b101);
    let mut slacks = [0.5; BLOCK];
    kept.moved.until(&[1], &mut slacks);
    let until = slacks[0];
    assert!(until < 4.5 && until > 4.4999, "{until}");
    kept.moved([0.0, 0.25].into_iter());
    assert_eq!(kept.moved.open(scalar, &[1, 0, 1], &[until, 3.6, 5.1]), 0b001);
    kept.moved.hear(64, 64);
    kept.clear();
    assert_eq!(kept.moved.keeps(0), Some(false));
    kept.moved([1.0, 1.0].into_iter());
    assert_eq!(kept.moved.who, Who::Some, "what stayed in another start decides nothing");
}
