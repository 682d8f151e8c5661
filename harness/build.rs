//! Builds the plain source the reports compare with, and records what the harness was built from.

#[path = "build/plain.rs"]
mod plain;
#[path = "build/provenance.rs"]
mod provenance;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    plain::build()?;
    provenance::embed();
    Ok(())
}
