//! K-Means on the pixels of a picture: one fit, and the labelling of every pixel.

use super::super::model::{Mode, PictureRecord, RawSession, Whole};
use super::budget::Need;
use super::cell::{Draft, Pair};
use super::ladder::{Early, Plain, ladder};
use super::{Error, Plan};
use crate::baseline::Baseline;
use crate::baseline::kmeans::Order;
use crate::kmeans::{self, Layout, Workload};
use crate::picture::Picture;
use std::time::Duration;
use tilewise::kmeans::{Form, KMeans, Recipe, Shape, tiles};
use tilewise::points::Points;
use tilewise::{Isa, Matrix};
use tilewise_tuner::measure::{Arm, Stopwatch};
use tilewise_tuner::problem::{Problem, Setting};
use tilewise_tuner::wisdom::Chosen;

/// The cell's name.
pub(super) const ID: &str = "kmeans-picture";

/// Colours the picture is reduced to.
const CENTRES: usize = 64;

/// What it asks for, beside a product of a billion multiply-adds with a weight of 2.
pub(super) const NEED: Need = Need { weight: 3.0, least: Duration::from_secs(3) };

/// A finished fit, and what is to be labelled with it.
pub(super) struct Fitted {
    workload: Workload,
    whole: Whole,
    pub(super) session: RawSession,
    pub(super) record: PictureRecord,
    pub(super) quantised: Picture,
}

/// The sizes of the labelling.
pub(super) fn shape(pixels: usize) -> Shape {
    Shape { n: pixels, d: 3, k: CENTRES.min(pixels) }
}

/// Fits the colours of the picture, several times over by the clock.
pub(super) fn fit(plan: &Plan<'_>) -> Result<Fitted, Error> {
    let refused = |reason: String| Error::Refused { cell: ID.into(), reason };
    let (picture, source) = plan.picture;
    let rows = picture.points();
    let shape = shape(picture.pixels());
    let view = Matrix::new(&rows, shape.n, shape.d).expect("three values a pixel");
    let points = Points::from_rows(view).map_err(|error| refused(error.to_string()))?;
    let settings = KMeans::new(shape.k).seed(plan.seed);
    let recipe = plan.wisdom.choose(&shape, &plan.setting).recipe;
    let once = || kmeans::fit(&points, &settings, (shape, plan.setting.isa, recipe), plan.team);
    let fit = once().map_err(|error| refused(error.to_string()))?;
    let arm = Arm::new("fit", || {
        once().expect("the same fit was possible a moment ago");
    });
    let budget = match plan.mode {
        Mode::Quick => Duration::from_secs(1),
        Mode::Full => Duration::from_secs(10),
    };
    let failed = |source| Error::Session { cell: ID.into(), source };
    let session = Stopwatch::within(budget).measure(vec![arm]).map_err(failed)?;
    let time = session.time("fit").map_err(failed)?;
    let workload =
        Workload::new(rows.clone(), fit.centres()).map_err(|error| refused(error.to_string()))?;
    let centres: Vec<f32> = (0..shape.k).flat_map(|k| fit.centres().row(k).to_vec()).collect();
    if !workload.check(fit.labels()).passed() {
        return Err(refused("the labels of the fit are not those of the reference".into()));
    }
    let quantised = picture.repaint(fit.labels(), &centres);
    Ok(Fitted {
        whole: Whole {
            label: format!("Fit of {} centres to all points, seeding included", shape.k),
            time,
            threads: plan.setting.threads,
            outcome: format!("{} iterations, inertia {:.6}", fit.iterations(), fit.inertia()),
        },
        session: RawSession { id: format!("{ID}/fit"), session },
        record: PictureRecord {
            source: source.into(),
            width: picture.width(),
            height: picture.height(),
            colours: picture.colours(),
            centres: quantised.colours(),
            rms_error: rms(picture, &quantised),
        },
        workload,
        quantised,
    })
}

/// Root of the mean squared difference of a channel.
fn rms(a: &Picture, b: &Picture) -> f64 {
    let square = |(a, b): (&u8, &u8)| (f64::from(*a) - f64::from(*b)).powi(2);
    let sum: f64 = a.rgb().iter().zip(b.rgb()).map(square).sum();
    (sum / a.rgb().len().max(1) as f64).sqrt()
}

/// The ladder of labelling; for points it also climbs from rows to blocks.
pub(super) fn draft<'a>(plan: &Plan<'a>, fitted: &'a Fitted) -> Result<Draft<'a>, Error> {
    let workload = &fitted.workload;
    let isa = plan.setting.isa;
    let refused = |reason: String| Error::Refused { cell: ID.into(), reason };
    let make = |name: &str, chosen: &Chosen<Recipe>| {
        workload
            .kernel(name, isa, (chosen, Layout::Rows), plan.team)
            .map_err(|error| error.to_string())
    };
    let single = Setting { threads: 1, ..plan.setting };
    let estimate = workload.shape().estimate(&single);
    // All centres, whatever the estimate would leave out and how.
    let mut unbounded = estimate;
    unbounded.bounds = false;
    if estimate.form != Form::Tile {
        (unbounded.form, unbounded.tile) = (Form::Lanes, tiles(Form::Lanes, isa)[0]);
    }
    let early = vec![
        Early {
            name: "simd",
            label: "SIMD by hand",
            title: "by hand, smallest tile",
            recipe: smallest(unbounded, isa),
        },
        Early {
            name: "all-centres",
            label: "tiled",
            title: "by hand, all centres, 1 thread",
            recipe: unbounded,
        },
    ];
    let in_orders = |build, orders: &[Order]| {
        workload.plain(build, orders).map_err(|error| refused(error.to_string()))
    };
    let from_rows = |build| in_orders(build, &Order::FROM_ROWS);
    let (scalar, auto) = (from_rows(Baseline::scalar())?, from_rows(Baseline::auto())?);
    let plain = vec![
        Plain { label: "plain, scalar", name: "plain", orders: scalar },
        Plain { label: "vectorised by compiler", name: "auto", orders: auto },
    ];
    let mut ladder =
        ladder(plan, &workload.shape(), plain, (early, "fewer centres"), &make).map_err(refused)?;
    let title = "by hand, estimated recipe, 1 thread, from blocks";
    let blocks = workload
        .kernel("tiled-blocks", isa, (&Chosen::estimated(estimate), Layout::Blocks), plan.team)
        .map_err(|error| refused(error.to_string()))?;
    let structures = in_orders(Baseline::auto(), &Order::ARRAY_OF_STRUCTURES)?;
    let structures = ladder.beside("auto-structures", structures);
    let plain = in_orders(Baseline::auto(), &Order::STRUCTURE_OF_ARRAYS)?;
    let plain = ladder.beside("auto-blocks", plain);
    // The last arm keeps its place: it is its own control.
    let last = ladder.candidates.len() - 1;
    ladder.candidates.splice(last..last, [structures, plain, blocks.titled(title)]);
    Ok(Draft {
        id: ID.into(),
        origin: format!("pixels of a picture, {}", plan.picture.1),
        task: workload.task(),
        ladder,
        comparisons: layouts(),
        whole: Some(fitted.whole.clone()),
    })
}

/// Points as a blocked structure of arrays against rows, an array of structures. Who starts from
/// blocks has less to do inside the clock, so these arms stand beside the ladder, not on it.
fn layouts() -> Vec<Pair> {
    let pair = |label: &str, from: &str, to: &str| Pair {
        label: label.into(),
        from: from.into(),
        to: to.into(),
    };
    vec![
        pair(
            "Plain code, blocked structure of arrays against array of structures",
            "auto-structures",
            "auto-blocks",
        ),
        pair("Plain code, blocks made beforehand against turning rows", "auto", "auto-blocks"),
        pair("Our kernel, blocks made beforehand against rows", "tiled", "tiled-blocks"),
        pair("Our kernel against plain code, both from blocks", "auto-blocks", "tiled-blocks"),
    ]
}

/// One register of points against one centre, or what comes nearest to it.
fn smallest(estimate: Recipe, isa: Isa) -> Recipe {
    let mut recipe = estimate;
    let offered = tiles(estimate.form, isa).iter().copied();
    recipe.tile = offered.min_by_key(|tile| tile.points * tile.centres).unwrap_or(estimate.tile);
    recipe
}
