//! Compiles `baseline/plain.rs` once per level of CPU features with the compiler's vectorisers
//! off and once with them on, into one static archive, and lists the builds for
//! `src/baseline/builds.rs`.
//!
//! Only a compiler run of its own can switch vectorisation off for a part of a program: there is
//! no attribute for it, and a barrier of inline assembly in the loop was not enough. The object
//! files go into an archive because that is what cargo passes on to whoever links the harness;
//! the archive is written here because a machine with Rust need not have `ar`.

use ar_archive_writer::{ArchiveKind, NewArchiveMember, write_archive_to_stream};
use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What every build has in common.
const COMMON: [&str; 4] =
    ["-Copt-level=3", "-Ccodegen-units=1", "-Cpanic=abort", "-Cembed-bitcode=no"];

/// What makes the scalar arm scalar.
const SCALAR: [&str; 2] = ["-Cno-vectorize-loops", "-Cno-vectorize-slp"];

/// The name of a level in `src/baseline/level.rs`, and its flags.
type Level = (&'static str, &'static [&'static str]);

/// The compiler's default prefers 256-bit registers on AVX-512; the arm that stands for "the best
/// the compiler does" may use them whole.
#[rustfmt::skip]
const X86_64: [Level; 5] = [
    ("Base", &[]),
    ("V3", &["-Ctarget-cpu=x86-64-v3"]),
    ("V3Vnni", &["-Ctarget-cpu=x86-64-v3", "-Ctarget-feature=+avxvnni"]),
    ("V4", &["-Ctarget-cpu=x86-64-v4", "-Ctarget-feature=-prefer-256-bit"]),
    ("V4Vnni", &["-Ctarget-cpu=x86-64-v4", "-Ctarget-feature=-prefer-256-bit,+avx512vnni"]),
];

/// Builds everything.
pub(crate) fn build() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=baseline");
    println!("cargo::rerun-if-changed=src/baseline/abi.rs");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    // `tilewise_portable` stands for a target without x86 code.
    let portable = env::var_os("CARGO_CFG_TILEWISE_PORTABLE").is_some();
    let x86 = env::var("CARGO_CFG_TARGET_ARCH")? == "x86_64" && !portable;
    let levels = if x86 { &X86_64[..] } else { &X86_64[..1] };

    let (mut variants, mut statics, mut builds) = (Vec::new(), String::new(), String::new());
    for (level, level_flags) in levels {
        for (arm, arm_flags) in [("Off", &SCALAR[..]), ("Auto", &[])] {
            let variant = format!("{arm}_{level}").to_lowercase();
            let flags: Vec<&str> = [&COMMON, *level_flags, arm_flags].concat();
            writeln!(statics, "    static tilewise_plain_{variant}: Table;")?;
            writeln!(
                builds,
                "    Build {{ level: Level::{level}, vectorisation: Vectorisation::{arm}, \
                 flags: {:?}, table: linked!(tilewise_plain_{variant}) }},",
                flags.join(" ")
            )?;
            variants.push((variant, flags));
        }
    }
    fs::write(
        out.join("builds.rs"),
        format!(
            "unsafe extern \"C\" {{\n{statics}}}\n\nstatic BUILDS: &[Build] = &[\n{builds}];\n"
        ),
    )?;
    compile_all(&out, &variants)?;
    println!("cargo::rustc-link-search=native={}", out.display());
    println!("cargo::rustc-link-lib=static=tilewise_plain");
    Ok(())
}

/// Fills the archive, unless it was made from the same sources with the same compiler and flags:
/// the build script runs after every edit of the workspace (see `provenance.rs`), and the
/// compilations take five seconds.
fn compile_all(out: &Path, variants: &[(String, Vec<&str>)]) -> Result<(), Box<dyn Error>> {
    let compiler = Command::new(env::var("RUSTC")?).arg("-vV").output()?.stdout;
    let mut stamp = format!("{variants:?}\n{}", String::from_utf8_lossy(&compiler));
    for source in ["plain", "bert", "gemm", "kmeans", "stencil", "../src/baseline/abi"] {
        stamp += &fs::read_to_string(format!("baseline/{source}.rs"))?;
    }
    let (archive, stamp_file) = (out.join("libtilewise_plain.a"), out.join("plain.stamp"));
    if archive.exists() && fs::read_to_string(&stamp_file).is_ok_and(|last| last == stamp) {
        return Ok(());
    }
    let mut objects = Vec::new();
    for (variant, flags) in variants {
        objects.push((format!("{variant}.o"), compile(out, variant, flags)?));
    }
    write_archive(&archive, &objects)?;
    Ok(fs::write(stamp_file, stamp)?)
}

/// Compiles one variant and gives its object file back.
fn compile(out: &Path, variant: &str, flags: &[&str]) -> Result<Vec<u8>, Box<dyn Error>> {
    let object = out.join(format!("{variant}.o"));
    let mut rustc = Command::new(env::var("RUSTC")?);
    rustc
        .args(["--crate-type=rlib", "--edition=2024", "--target", &env::var("TARGET")?])
        .args(["--crate-name", &format!("tilewise_plain_{variant}"), "--out-dir"])
        .arg(out)
        .arg(format!("--emit=obj={}", object.display()))
        .args(flags)
        .env("TILEWISE_PLAIN_VARIANT", variant)
        .arg("baseline/plain.rs");
    let output = rustc.output()?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{rustc:?} failed:\n{message}").into());
    }
    Ok(fs::read(object)?)
}

/// Writes a static archive in the form the target's linker reads.
fn write_archive(path: &Path, objects: &[(String, Vec<u8>)]) -> Result<(), Box<dyn Error>> {
    let kind = match env::var("CARGO_CFG_TARGET_OS")?.as_str() {
        "macos" | "ios" | "tvos" | "watchos" | "visionos" => ArchiveKind::Darwin,
        "windows" => ArchiveKind::Coff,
        _ => ArchiveKind::Gnu,
    };
    let members: Vec<_> = objects
        .iter()
        .map(|(name, bytes)| NewArchiveMember {
            buf: Box::new(bytes.clone()),
            object_reader: &ar_archive_writer::DEFAULT_OBJECT_READER,
            member_name: name.clone(),
            mtime: 0,
            uid: 0,
            gid: 0,
            perms: 0o644,
        })
        .collect();
    write_archive_to_stream(&mut fs::File::create(path)?, &members, kind, false, None)?;
    Ok(())
}
