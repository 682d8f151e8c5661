//! What all cluster, and what must come out.

use super::job::Job;
use std::io::Write;
use std::path::Path;
use tempfile::NamedTempFile;
use tilewise::Matrix;
use tilewise::kmeans::{Centres, KMeans, Shape, reference};
use tilewise::points::Element;
use tilewise_harness::peers::entrant::Numbers;
use tilewise_harness::picture::Picture;
use tilewise_harness::workload::{Check, random};

/// Points that a model is fitted to which then predicts all.
const SAMPLE: usize = 1000;

/// A kind of number that points are made of here.
pub(crate) trait Point: Element {
    /// From a number from 0 to 1.
    fn of(value: f32) -> Self;

    /// As the rivals get it.
    fn push(self, bytes: &mut Vec<u8>);

    /// As a centre has it.
    fn centre(self) -> Self::Centre;
}

impl Point for f32 {
    fn of(value: f32) -> f32 {
        value
    }

    fn push(self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.to_le_bytes());
    }

    fn centre(self) -> f32 {
        self
    }
}

impl Point for f64 {
    fn of(value: f32) -> f64 {
        value.into()
    }

    fn push(self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.to_le_bytes());
    }

    fn centre(self) -> f64 {
        self
    }
}

/// Rivals have no bytes: they get the same numbers as `f32`.
impl Point for u8 {
    fn of(value: f32) -> u8 {
        (value * 255.0).round() as u8
    }

    fn push(self, bytes: &mut Vec<u8>) {
        f32::from(self).push(bytes);
    }

    fn centre(self) -> f64 {
        self.into()
    }
}

/// Points, centres to label them by or to start from, and numbers to choose centres with.
#[derive(Debug)]
pub(crate) struct Inputs<T: Element> {
    pub(crate) shape: Shape,
    pub(crate) points: Vec<T>,
    pub(crate) centres: Vec<T::Centre>,
    pub(crate) draws: Vec<f64>,
    /// The labels, or the inertia, that must come out.
    expected: Expected,
}

#[derive(Debug)]
enum Expected {
    Labels(Vec<u32>),
    Inertia(f64),
}

impl<T: Point> Inputs<T> {
    pub(crate) fn new(job: &Job, seed: u64, image: Option<&Path>) -> Result<Self, String> {
        let Shape { n, d, k } = job.shape;
        let real =
            if job.pixels { pixels(n, seed, image)? } else { random::floats(seed, 0, n * d) };
        let points: Vec<T> = real.into_iter().map(T::of).collect();
        let chosen = random::floats(seed, 1, k).into_iter();
        let rows = chosen.map(|draw| (f64::from(draw) * n as f64) as usize);
        let centres: Vec<T::Centre> =
            rows.flat_map(|row| &points[row * d..(row + 1) * d]).map(|x| x.centre()).collect();
        let draws = random::floats(seed, 2, k * (3 + (k as f64).ln() as usize));
        let expected = Expected::Inertia(0.0);
        let draws = draws.into_iter().map(f64::from).collect();
        let mut inputs = Inputs { shape: job.shape, points, centres, draws, expected };
        if job.kernel == "kmeans-predict" {
            inputs.centres = inputs.fitted()?;
        }
        inputs.expected = inputs.expect(job)?;
        Ok(inputs)
    }

    /// The centres that a fit of some of the points leaves: who predicts has fitted before, as those
    /// have who take the colours of a picture from a thousand of its pixels.
    fn fitted(&self) -> Result<Vec<T::Centre>, String> {
        let (Shape { n, d, k }, rows) = (self.shape, self.rows());
        let sample = (0..SAMPLE).flat_map(|index| rows.row(index * n / SAMPLE));
        let sample: Vec<T> = sample.copied().collect();
        let sample = Matrix::new(&sample, SAMPLE, d).map_err(|error| error.to_string())?;
        let fit = KMeans::new(k).fit(sample).map_err(|error| error.to_string())?;
        let centres = fit.centres();
        Ok((0..k).flat_map(|centre| centres.row(centre)).copied().collect())
    }

    /// The points.
    pub(crate) fn rows(&self) -> Matrix<'_, T> {
        Matrix::new(&self.points, self.shape.n, self.shape.d).expect("n x d were made")
    }

    /// The centres.
    pub(crate) fn start(&self) -> Matrix<'_, T::Centre> {
        Matrix::new(&self.centres, self.shape.k, self.shape.d).expect("k x d were made")
    }

    /// How ours fits.
    pub(crate) fn settings(&self, job: &Job) -> KMeans {
        let settings = KMeans::new(self.shape.k);
        match job.kernel {
            "kmeans-lloyd" => settings.centres(self.start()).tol(0.0).max_iter(job.iterations),
            _ => settings,
        }
    }

    fn expect(&self, job: &Job) -> Result<Expected, String> {
        if job.labels() {
            return Ok(Expected::Labels(reference::assign(self.rows(), self.start()).0));
        }
        let failed = |error: tilewise::kmeans::Error| error.to_string();
        if job.kernel == "kmeans-seed" {
            // What evenly drawn centres leave: chosen ones must not leave more.
            let drawn = Centres::new(self.start()).map_err(failed)?;
            return Ok(Expected::Inertia(-drawn.score(self.rows(), None).map_err(failed)?));
        }
        let fit = self.settings(job).fit(self.rows()).map_err(failed)?;
        Ok(Expected::Inertia(fit.inertia()))
    }

    /// The file the rivals read: the points, then centres and draws as `f64`.
    pub(crate) fn file(&self) -> Result<NamedTempFile, String> {
        let mut bytes = Vec::new();
        self.points.iter().for_each(|point| point.push(&mut bytes));
        let centres = self.centres.iter().map(|&centre| centre.into());
        centres.chain(self.draws.iter().copied()).for_each(|value: f64| value.push(&mut bytes));
        let written = NamedTempFile::new().and_then(|mut file| {
            file.write_all(&bytes)?;
            Ok(file)
        });
        written.map_err(|error| format!("the inputs cannot be written for the rivals: {error}"))
    }

    /// Labels may differ where two centres are equally near but for what rounding does to norms
    /// and products in the points' precision. Centres must leave the sum of squared distances
    /// that ours leave, but for a part: chaos makes much of a rounding, and other draws of other
    /// seeds.
    pub(crate) fn judge(&self, job: &Job, numbers: &Numbers) -> Check {
        match (numbers, &self.expected) {
            (Numbers::I32(labels), Expected::Labels(expected)) => {
                self.by_distance(labels, expected)
            }
            (Numbers::F32(centres), Expected::Inertia(inertia)) => {
                let part = if job.kernel == "kmeans-fit" { 0.15 } else { 0.02 };
                self.by_inertia(centres, *inertia, part)
            }
            _ => Check::compare::<f32>("another kind of result", &[], &[], 0.0),
        }
    }

    fn by_distance(&self, labels: &[i32], expected: &[u32]) -> Check {
        let (rows, start, d) = (self.rows(), self.start(), self.shape.d as f64);
        let to =
            |row: usize, label: usize| reference::squared_distance(rows.row(row), start.row(label));
        let known = labels.len() == expected.len()
            && labels.iter().all(|label| (0..self.shape.k as i32).contains(label));
        if !known {
            return Check::compare::<f32>("a label for each point", &[], &[], 0.0);
        }
        let (mut taken, mut least) = (Vec::new(), Vec::new());
        for (row, (&label, &nearest)) in labels.iter().zip(expected).enumerate() {
            taken.push(to(row, label as usize));
            least.push(to(row, nearest as usize));
        }
        let square = |x: f64| x * x;
        let norm = |values: &[T]| values.iter().map(|&x| square(x.into())).sum::<f64>();
        let largest = (0..rows.rows()).map(|row| norm(rows.row(row))).fold(0.0, f64::max);
        let epsilon = if T::NAME == "f64" { f64::EPSILON } else { f64::from(f32::EPSILON) };
        let tolerance = 8.0 * (d + 4.0) * epsilon * largest;
        Check::compare("nearest centres by f64 distances", &taken, &least, tolerance)
    }

    fn by_inertia(&self, centres: &[f32], expected: f64, part: f64) -> Check {
        const REFERENCE: &str = "the sum of squared distances that our centres leave";
        let Shape { d, k, .. } = self.shape;
        let score = Matrix::new(centres, k, d)
            .map_err(|error| error.to_string())
            .and_then(|rows| Centres::new(rows).map_err(|error| error.to_string()))
            .and_then(|centres| centres.score(self.rows(), None).map_err(|e| e.to_string()));
        let inertia = score.map_or(f64::NAN, |score| -score);
        // Less is no error.
        Check::compare(REFERENCE, &[inertia.max(expected)], &[expected], part * expected)
    }
}

/// The first `n` of the pixels of a picture, or some of them drawn at random, from 0 to 1.
fn pixels(n: usize, seed: u64, image: Option<&Path>) -> Result<Vec<f32>, String> {
    let picture = match image {
        Some(file) => Picture::open(file).map_err(|error| error.to_string())?,
        None => {
            let (width, height) = Picture::DEFAULT_SIZE;
            Picture::generate(width, height, seed)
        }
    };
    let all = picture.points();
    let count = all.len() / 3;
    if count < n {
        return Err(format!("--image: it has {count} pixels; expected at least {n}"));
    }
    if count == n {
        return Ok(all);
    }
    let rows = random::floats(seed, 3, n).into_iter().map(|draw| {
        let row = (f64::from(draw) * count as f64) as usize;
        &all[row * 3..(row + 1) * 3]
    });
    Ok(rows.flatten().copied().collect())
}
