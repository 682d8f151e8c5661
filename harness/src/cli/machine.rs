//! `tilewise machine`: what this machine says of itself.

use super::args::MachineArgs;
use super::failure::Failure;
use super::output;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::json;
use tilewise_harness::provenance::Provenance;
use tilewise_harness::report::flatten;
use tilewise_tuner::machine::Machine;

pub(super) fn run(args: &MachineArgs) -> Result<(), Failure> {
    let machine = Machine::read();
    let facts = json!({
        "schema": 1,
        "slug": machine.slug(),
        "machine": machine,
        "build": Provenance::read(),
    });
    if args.json {
        return output::print(facts);
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    for (name, value) in flatten("", &facts["machine"]) {
        table.add_row([name, value]);
    }
    for (name, value) in flatten("build", &facts["build"]) {
        table.add_row([name, value]);
    }
    output::print(format_args!("{}\n{}", machine.slug(), table.trim_fmt()))
}
