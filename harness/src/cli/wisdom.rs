//! `tilewise wisdom`: what is known, why it is used, and whether it still holds.

pub(super) mod args;
mod check;
mod explain;
mod export;

use super::failure::Failure;
use super::output;
use super::setup::{self, Setup};
use args::{Merge, WisdomArgs, WisdomCommand};
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::json;
use tilewise_tuner::wisdom::{Record, Wisdom};

pub(super) fn run(args: &WisdomArgs) -> Result<(), Failure> {
    let common = &args.common;
    match &args.command {
        WisdomCommand::Show => show(&Setup::new(common, false)?, common.json),
        WisdomCommand::Merge(merge) => together(merge, common.json),
        WisdomCommand::Explain(explain) => explain::run(common, &explain.kernel),
        WisdomCommand::Export(export) => export::run(common, export),
        WisdomCommand::Check(check) => check::run(common, check),
    }
}

/// Every record, and what could not be read.
fn show(setup: &Setup, as_json: bool) -> Result<(), Failure> {
    let wisdom = &setup.wisdom;
    let records = wisdom.records();
    let bad: Vec<String> = wisdom.bad_lines().iter().map(ToString::to_string).collect();
    let forged: Vec<String> =
        wisdom.forged().map(|(origin, reason)| format!("{origin}: {reason}")).collect();
    let foreign = wisdom.foreign(&setup.machine);
    let origin = |record| wisdom.origin(record).map(ToString::to_string).unwrap_or_default();
    let origins: Vec<String> = records.iter().map(|record| origin(record)).collect();
    if as_json {
        return output::print(json!({
            "schema": 1,
            "records": records,
            "origins": origins,
            "foreign": foreign,
            "bad_lines": bad,
            "forged": forged,
        }));
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.add_row([
        "kernel",
        "shape",
        "types",
        "threads",
        "CPU, ISA",
        "recipe",
        "against the default",
        "from",
    ]);
    for (record, origin) in records.iter().zip(origins) {
        let Record { kernel, shape, dtype, context, identity, .. } = record;
        let here = record.identity == setup.machine.identity(identity.isa);
        let place = if here { "here".to_owned() } else { identity.cpu.clone() };
        table.add_row([
            kernel.clone(),
            shape.to_string(),
            dtype.clone(),
            context.threads.to_string(),
            format!("{place}, {}", identity.isa),
            changes(record),
            evidence(record),
            origin,
        ]);
    }
    let (all, lines) = (records.len(), wisdom.unused());
    let mut text =
        if records.is_empty() { String::new() } else { format!("{}\n", table.trim_fmt()) };
    text += &format!("{all} record(s), {foreign} of other CPUs; {lines} line(s) not used");
    for forged in forged {
        text += &format!("\nforged: {forged}");
    }
    output::print(text)
}

/// What a recipe changes about the default.
fn changes(record: &Record) -> String {
    let (Some(recipe), Some(default)) = (record.recipe.as_object(), record.default.as_object())
    else {
        return record.recipe.to_string();
    };
    let changed = recipe.iter().filter(|(name, value)| default.get(*name) != Some(value));
    let changed: Vec<String> = changed
        .map(|(name, value)| format!("{name} {}", value.to_string().replace('"', "")))
        .collect();
    if changed.is_empty() { "the default".into() } else { changed.join(", ") }
}

/// What is known of how good it is; of a default, how good the best of all others was.
fn evidence(record: &Record) -> String {
    let evidence = &record.evidence;
    let marked = match evidence.marked {
        0 => String::new(),
        marked => format!(" ({marked} of {} rounds disturbed)", evidence.rounds),
    };
    format!("{}{marked}", evidence.summary())
}

/// All files' records in one.
fn together(Merge { files, into }: &Merge, as_json: bool) -> Result<(), Failure> {
    let (mut all, mut bad, mut left) = (Wisdom::default(), Vec::new(), 0);
    for file in files {
        if !file.exists() {
            return Err(Failure::failed(format!("{}: there is no such file", file.display())));
        }
        let wisdom = Wisdom::load_to_save(file).map_err(Failure::failed)?;
        setup::tell_bad_lines(wisdom.bad_lines());
        bad.extend(wisdom.bad_lines().iter().map(ToString::to_string));
        left += wisdom.broken();
        all.merge(wisdom);
    }
    all.save(into).map_err(Failure::failed)?;
    let saved = Wisdom::load(into).map_err(Failure::failed)?;
    let (records, kept) = (saved.records().len(), saved.of_other_versions());
    let file = into.display().to_string();
    if as_json {
        return output::print(json!({
            "schema": 1, "records": records, "bad_lines": bad, "wisdom_file": file,
        }));
    }
    output::print(format!(
        "{records} record(s) in {file}; {left} line(s) left behind, and {kept} of other versions kept"
    ))
}
