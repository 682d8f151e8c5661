//! K-Means beside everybody else's: one command, one table, ties and losses included.
//!
//! ```text
//! cargo bench -p tilewise-benches --features rivals --bench kmeans_rivals -- --python target/kmeans/bin/python
//! ```
//!
//! `benches/peers/README.md` says how that Python comes to be; `--help` how to ask for less: a
//! `--kernel` is `kmeans-predict`, `kmeans-argmin`, `kmeans-fit`, `kmeans-lloyd` (iterations from
//! given centres) or `kmeans-seed`. Records go to `results/`. Rivals are in `peers/kmeans.py`.

mod kmeans_rivals {
    pub(crate) mod inputs;
    pub(crate) mod job;
    pub(crate) mod ours;
}

use kmeans_rivals::inputs::{Inputs, Point};
use kmeans_rivals::job::{self, Job, Kind};
use kmeans_rivals::ours;
use std::process::ExitCode;
use tilewise::SpinTeam;
use tilewise_harness::peers::bench::{self, Bench, Wanted};
use tilewise_harness::peers::contest::Contest;
use tilewise_harness::peers::entrant;
use tilewise_harness::workload::Cache;

fn main() -> ExitCode {
    bench::main("kmeans-rivals", |bench| {
        for job in &job::ALL {
            if !wanted(bench, job) {
                continue;
            }
            for threads in bench.threads() {
                match job.points {
                    Kind::F32 => measure::<f32>(bench, job, threads)?,
                    Kind::F64 => measure::<f64>(bench, job, threads)?,
                    Kind::U8 => measure::<u8>(bench, job, threads)?,
                }
            }
        }
        Ok(())
    })
}

fn wanted(bench: &Bench, job: &Job) -> bool {
    let options = &bench.options;
    let sizes = [job.shape.n, job.shape.d, job.shape.k];
    let shape = options.shapes.is_empty() || options.shapes.iter().any(|each| each.0 == sizes);
    shape && options.wants_kernel(job.kernel) && (!options.quick || job.quick)
}

fn measure<T: Point>(bench: &mut Bench, job: &Job, threads: usize) -> Result<(), String> {
    let inputs = Inputs::<T>::new(job, bench.options.seed, bench.options.image.as_deref())?;
    let team = SpinTeam::new(threads).map_err(|error| error.to_string())?;
    let chosen = bench.wisdom.choose(&job.shape, &bench.setting(threads));
    let mut entrants = vec![ours::entrant(job, &inputs, &chosen, &team)?];
    let file = inputs.file()?;
    let mut absent = Vec::new();
    let task = job.task();
    for rival in ["scikit-learn", "sklearnex", "faiss"] {
        let wanted = Wanted {
            script: "kmeans.py",
            rival,
            kernel: job.kernel,
            shape: &task.shape,
            threads,
            cache: Cache::Hot,
            copies: 1,
            element: if job.labels() { entrant::Element::I32 } else { entrant::Element::F32 },
            input: Some(file.path()),
        };
        bench.worker(&wanted, &mut entrants, &mut absent);
    }
    let mut watch = bench.watch();
    if !job.labels() {
        // Some fits take seconds; six rounds have an interval still.
        watch.min_rounds = 6;
    }
    let contest = Contest {
        id: job.id(threads),
        task,
        threads,
        watch,
        judge: &|numbers| inputs.judge(job, numbers),
    };
    bench.measure(contest, entrants, absent).map_err(|error| error.to_string())
}
