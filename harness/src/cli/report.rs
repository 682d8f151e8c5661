//! `tilewise report`: everything, measured and written down.

use super::args::{Common, ModeArg, ReportArgs, WisdomArg};
use super::failure::Failure;
use super::output;
use super::setup::Setup;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::path::{Path, PathBuf};
use tilewise_harness::peers::record::Record;
use tilewise_harness::picture::Picture;
use tilewise_harness::report::files::{self, Claim};
use tilewise_harness::report::model::{Mode, Peers, Samples};
use tilewise_harness::report::run::{self, Finished, Plan};
use tilewise_harness::report::{Report, html, markdown};

/// Raw samples larger than this are written to a file of their own, compressed.
const INLINE_BYTES: usize = 256 << 10;
const SAMPLES: &str = "samples.json.gz";

pub(super) fn run(args: &ReportArgs) -> Result<(), Failure> {
    if let Some(ModeArg::TuneMissing | ModeArg::Force) = args.common.wisdom_mode {
        let instead = "tilewise tune --wisdom-mode tune-missing first, then a report";
        return Err(Failure::usage(format!("report only loads wisdom; expected {instead}")));
    }
    let setup = Setup::new(&args.common, false)?;
    let (picture, source) = picture(args)?;
    let peers = peers(args, &setup)?;
    let folder = args.out.clone().unwrap_or_else(|| default_folder(&setup));
    // Asked now: ten minutes later is no time to find out that nothing can be written.
    let names = ["report.json", "report.html", "report.md", SAMPLES];
    let claims = Claim::folder(&folder, &names).map_err(Failure::failed)?;
    let bar = bar();
    let progress = |what: &str, done: usize, all: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
        bar.set_message(what.to_owned());
    };
    let plan = Plan {
        mode: if args.quick { Mode::Quick } else { Mode::Full },
        seed: args.common.seed,
        picture: (&picture, &source),
        setting: setup.setting(),
        peers: peers.as_ref(),
        wisdom: &setup.wisdom,
        team: setup.team(),
        command: &command(args),
        progress: &progress,
    };
    let finished = run::run(&plan).map_err(Failure::failed)?;
    bar.finish_and_clear();
    let report = write(finished, &picture, claims)?;
    print(&args.common, &report, &folder)?;
    match report.failures.first() {
        None => Ok(()),
        Some(first) => Err(Failure::failed(format!(
            "the report failed, {} rule(s) broken, the first: {first}",
            report.failures.len()
        ))),
    }
}

fn picture(args: &ReportArgs) -> Result<(Picture, String), Failure> {
    let Some(file) = &args.image else {
        let (width, height) = Picture::DEFAULT_SIZE;
        return Ok((Picture::generate(width, height, args.common.seed), "generated".into()));
    };
    let picture = Picture::open(file).map_err(Failure::failed)?;
    Ok((picture, name(file)))
}

/// The record to show, if it is of this kind of machine: another's would be no comparison.
fn peers(args: &ReportArgs, setup: &Setup) -> Result<Option<Peers>, Failure> {
    let Some(file) = &args.peers else { return Ok(None) };
    let record = Record::read(file).map_err(Failure::failed)?;
    let (there, here) = (&record.run.slug, setup.machine.slug());
    if *there != here {
        let file = file.display();
        return Err(Failure::failed(format!(
            "--peers {file}: it was measured on {there} and this machine is {here}; expected a \
             record of the same kind of machine, as the bench gemm_rivals writes it"
        )));
    }
    Ok(Some(Peers { file: name(file), record }))
}

/// A file's name alone: the folders of somebody's home are nobody's business.
fn name(file: &Path) -> String {
    file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned()
}

/// Below `results`, by CPU and time.
fn default_folder(setup: &Setup) -> PathBuf {
    let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    Path::new("results").join(setup.machine.slug()).join(format!("{time}-report"))
}

/// What measures the same again.
fn command(args: &ReportArgs) -> String {
    let mut command = String::from("tilewise report");
    if args.quick {
        command += " --quick";
    }
    let Common { isa, threads, seed, wisdom, .. } = &args.common;
    command += &isa.map(|isa| format!(" --isa {isa}")).unwrap_or_default();
    command += &threads.map(|threads| format!(" --threads {threads}")).unwrap_or_default();
    command += match wisdom {
        Some(WisdomArg::Off) => " --wisdom off",
        Some(WisdomArg::File(_)) => " --wisdom FILE",
        None => "",
    };
    if args.image.is_some() {
        command += " --image FILE";
    }
    if args.peers.is_some() {
        command += " --peers FILE";
    }
    format!("{command} --seed {seed}")
}

/// Draws and writes everything; whole files appear together.
fn write(finished: Finished, picture: &Picture, claims: Vec<Claim>) -> Result<Report, Failure> {
    let Finished { mut report, sessions, quantised } = finished;
    let raw = serde_json::to_vec(&sessions).map_err(Failure::failed)?;
    let samples = (raw.len() > INLINE_BYTES).then(|| files::compress(&raw)).transpose();
    let samples = samples.map_err(Failure::failed)?;
    report.samples = match &samples {
        Some(_) => Samples::File(SAMPLES.into()),
        None => Samples::Inline(sessions),
    };
    let pictures = quantised.as_ref().map(|quantised| (picture, quantised));
    let mut contents = vec![
        serde_json::to_vec_pretty(&report).map_err(Failure::failed)?,
        html::page(&report, pictures).into_bytes(),
        markdown::page(&report).into_bytes(),
    ];
    contents.extend(samples);
    // A claim without contents is dropped, and its temporary file with it.
    files::publish(claims.into_iter().zip(contents).collect()).map_err(Failure::failed)?;
    Ok(report)
}

fn print(common: &Common, report: &Report, folder: &Path) -> Result<(), Failure> {
    if common.json {
        let line = json!({
            "schema": 1,
            "folder": folder,
            "mode": report.mode,
            "seconds": report.seconds,
            "cells": report.cells.len(),
            "skipped": report.skipped.len(),
            "failures": report.failures,
        });
        return output::print(line);
    }
    for line in tilewise_harness::report::summary(report, false) {
        output::print(line)?;
    }
    output::print(folder.join("report.html").display())
}

/// A bar on a terminal, nothing elsewhere.
fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} ({elapsed})");
    ProgressBar::new(1).with_style(style.expect("the template is fine"))
}
