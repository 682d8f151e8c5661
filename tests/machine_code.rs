//! What the compiler made of it, read from the machine code of this very executable: the scalar
//! opponents are scalar, the auto-vectorised ones use whole registers, and the kernels' vector
//! paths use the instructions they are there for.
//!
//! Code is read, not run, so all of it is checked on any x86-64 machine, whatever its CPU.
#![cfg(all(target_arch = "x86_64", target_os = "linux", not(tilewise_portable)))]

#[path = "machine_code/code.rs"]
mod code;

use code::{Function, Program, is_packed_arithmetic, vector_bytes};
use iced_x86::{EncodingKind, Instruction, Mnemonic};
use std::sync::LazyLock;
use tilewise::cache::CacheSizes;
use tilewise::stencil::{Extent, Grid, Stencil};
use tilewise::{Isa, Matrix, MatrixMut, Solo, gemm, kmeans};
use tilewise_harness::baseline::{Baseline, Level};
use tilewise_harness::roofs::{Probe, Quantity};

/// Every function of the plain source, as it stands in a symbol.
const PLAIN: [&str; 26] = [
    "4bert11linear_dots",
    "4bert13linear_strips",
    "4bert8quantise",
    "4bert17linear_dots_bytes",
    "4bert19linear_strips_bytes",
    "4bert6attend",
    "4bert4norm",
    "4bert4gelu",
    "4gemm4rows",
    "4gemm4dots",
    "6kmeans4rows",
    "6kmeans10rows_lanes",
    "6kmeans6blocks",
    "6kmeans12blocks_lanes",
    "7stencil15heat5_pairs_f32",
    "7stencil15heat5_pairs_f64",
    "7stencil15heat7_pairs_f32",
    "7stencil15heat7_pairs_f64",
    "7stencil14heat5_rows_f32",
    "7stencil14heat5_rows_f64",
    "7stencil16heat5_strips_f32",
    "7stencil16heat5_strips_f64",
    "7stencil16heat7_planes_f32",
    "7stencil16heat7_planes_f64",
    "7stencil16heat7_strips_f32",
    "7stencil16heat7_strips_f64",
];

/// One sum over a point's features, one after the other: floats may not be added in another
/// order, so there is nothing for the compiler to vectorise.
const ONE_SUM: &str = "6kmeans4rows";

/// What is read and what is written lie side by side, and may be the same for all the compiler
/// knows.
const SIDE_BY_SIDE: &str = "_pairs_";

static PROGRAM: LazyLock<Program> = LazyLock::new(|| {
    link_everything().expect("the examples of the documentation");
    Program::running()
});

/// Runs a little of everything the tests read, or it would not be in this executable.
fn link_everything() -> Result<(), Box<dyn std::error::Error>> {
    let (isa, caches) = (Isa::best(), CacheSizes::detect());
    Baseline::auto();
    let bytes = Probe::new(Quantity::Int8Compute, isa, 1, &caches);
    drop(bytes.map(|probe| probe.run(&Solo)));

    let shape = gemm::Shape { m: 1, n: 1, k: 1 };
    let plan = gemm::Plan::new(shape, isa, gemm::Recipe::estimate(shape, isa, &caches, 1))?;
    let weights = gemm::PackedWeights::pack(Matrix::new(&[3], 1, 1)?)?;
    let (lhs, mut out) = (gemm::Lhs::u8(Matrix::new(&[2], 1, 1)?, 0), [0]);
    let to = MatrixMut::new(&mut out, 1, 1)?;
    plan.run(lhs, &weights, &gemm::Store, to, &mut plan.scratch(1)?, &Solo)?;

    let shape = kmeans::Shape { n: 1, d: 1, k: 1 };
    let plan = kmeans::Plan::new(shape, isa, kmeans::Recipe::estimate(shape, isa, &caches, 1))?;
    let point = Matrix::new(&[1.0], 1, 1)?;
    plan.assign(point, point, &mut [0], None, &mut plan.scratch(1)?, &Solo)?;

    let extent = Extent::space(3, 3, 3);
    Stencil::heat7(0.1).run(&mut Grid::from_fn(extent, |_| 1.0_f32)?, 1)?.stable()?;
    Stencil::heat7(0.1).run(&mut Grid::from_fn(extent, |_| 1.0_f64)?, 1)?.stable()?;
    Ok(())
}

/// The functions of the plain source in one build.
fn plain(arm: &str, level: Level) -> Vec<&'static Function> {
    let unit = format!("tilewise_plain_{arm}_{level:?}").to_lowercase();
    let each = PLAIN.iter().map(|name| {
        // The name directly behind the unit's: `v4` must not find `v4vnni`.
        let symbol = format!("{unit}{name}");
        let found = PROGRAM.named(&[&symbol]).next();
        found.unwrap_or_else(|| panic!("no {name} in {unit}"))
    });
    each.collect()
}

#[test]
fn plain_scalar_code_has_no_packed_arithmetic() {
    for level in Baseline::levels() {
        for function in plain("off", level) {
            for instruction in &function.instructions {
                assert!(
                    !is_packed_arithmetic(instruction.mnemonic()),
                    "{:?} in {}",
                    instruction.mnemonic(),
                    function.symbol
                );
            }
        }
    }
}

#[test]
fn plain_scalar_code_has_the_same_features_as_the_other_arm() {
    for level in Baseline::levels().filter(|&level| level >= Level::V3) {
        for arm in ["off", "auto"] {
            let fused = plain(arm, level).into_iter().flat_map(|f| &f.instructions).any(is_fused);
            assert!(fused, "no fused multiply-add in the {arm} arm of {level}");
        }
    }
}

#[test]
fn plain_auto_vectorised_code_uses_whole_registers() {
    for level in Baseline::levels() {
        for function in plain("auto", level) {
            if [ONE_SUM, SIDE_BY_SIDE].iter().any(|name| function.symbol.contains(name)) {
                continue;
            }
            let whole = |instruction: &Instruction| {
                is_packed_arithmetic(instruction.mnemonic())
                    && vector_bytes(instruction) == level.vector_bytes()
            };
            // Some only call the function next to them, with another width of strip.
            let mut loops = function.innermost_loops();
            let callees = PROGRAM.called_from(&[&function.symbol], &["tilewise_plain_auto"]);
            loops.extend(callees.iter().flat_map(|callee| callee.innermost_loops()));
            let found = loops.iter().any(|body| body.iter().any(whole));
            assert!(found, "no loop of {} at {level} uses whole registers", function.symbol);
        }
    }
}

/// The inside of trampolines: what runs with the instruction set's features.
fn inside(isa: &str, roots: &[&str]) -> Vec<&'static Function> {
    let mut found = PROGRAM.called_from(roots, &[isa, "3run6inside"]);
    // The name without VNNI is the beginning of the one with it.
    found.retain(|function| isa.contains("Vnni") || !function.symbol.contains("Vnni"));
    assert!(!found.is_empty(), "no code for {isa} behind {roots:?}");
    found
}

/// The most instructions that `wanted` finds in a loop without calls: around a call every sum
/// would leave its register.
fn most_in_a_loop(functions: &[&Function], wanted: impl Fn(&Instruction) -> bool) -> usize {
    let loops = functions.iter().flat_map(|function| function.innermost_loops());
    let calls = |body: &&[Instruction]| !body.iter().any(|i| i.mnemonic() == Mnemonic::Call);
    let counts = loops.filter(calls).map(|body| body.iter().filter(|i| wanted(i)).count());
    counts.max().unwrap_or(0)
}

/// The byte tile and the probe of its roof.
const BYTES: [&[&str]; 2] = [&["4gemm4tile8multiply"], &["roofs", "compute", "Bytes", "5visit"]];

#[test]
fn avx512_vnni_multiplies_24_registers_of_bytes_a_step() {
    for roots in BYTES {
        let functions = inside("Avx512Vnni", roots);
        let dots = |i: &Instruction| i.mnemonic() == Mnemonic::Vpdpbusd && vector_bytes(i) == 64;
        assert_eq!(most_in_a_loop(&functions, dots), 24, "{roots:?}");
    }
}

#[test]
fn avx_vnni_multiplies_12_registers_of_bytes_a_step() {
    for roots in BYTES {
        let functions = inside("AvxVnni", roots);
        let dots = |i: &Instruction| {
            let vex = i.encoding() == EncodingKind::VEX;
            i.mnemonic() == Mnemonic::Vpdpbusd && vector_bytes(i) == 32 && vex
        };
        assert_eq!(most_in_a_loop(&functions, dots), 12, "{roots:?}");
    }
}

#[test]
fn without_a_byte_dot_product_pairs_and_words_are_multiplied() {
    // The tile of most sums has 12 or 24 registers of them.
    for (isa, bytes, registers) in [("Avx2", 32, 12), ("Avx512", 64, 24)] {
        let has = |function: &Function, wanted: &[Mnemonic]| {
            function.instructions.iter().any(|i| wanted.contains(&i.mnemonic()))
        };
        let whole = |mnemonic: Mnemonic| {
            move |i: &Instruction| i.mnemonic() == mnemonic && vector_bytes(i) == bytes
        };
        // Who widens in registers shifts, and multiplies even and odd bytes apart.
        let (widening, others): (Vec<&Function>, Vec<&Function>) =
            inside(isa, &["4gemm4tile8multiply"])
                .into_iter()
                .partition(|function| has(function, &[Mnemonic::Vpsraw, Mnemonic::Vpsllw]));
        assert_eq!(most_in_a_loop(&widening, whole(Mnemonic::Vpmaddwd)), 2 * registers, "{isa}");
        // What saturates is apart, in tiles for weights that have been looked at.
        let (pairs, words): (Vec<&Function>, Vec<&Function>) =
            others.into_iter().partition(|function| has(function, &[Mnemonic::Vpmaddubsw]));
        assert_eq!(most_in_a_loop(&pairs, whole(Mnemonic::Vpmaddubsw)), registers, "{isa}");
        // Two steps of words are taken together.
        assert_eq!(most_in_a_loop(&words, whole(Mnemonic::Vpmaddwd)), 2 * registers, "{isa}");
    }
}

/// The instruction sets that float code is compiled for, and the bytes of their registers.
const FLOATS: [(&str, usize); 2] = [("Avx2", 32), ("Avx512", 64)];

#[test]
fn points_in_lanes_are_fused_multiply_adds_of_whole_registers() {
    for (isa, bytes) in FLOATS {
        let functions = inside(isa, &["6kmeans5lanes7nearest"]);
        let fused = |i: &Instruction| is_fused(i) && vector_bytes(i) == bytes;
        assert!(most_in_a_loop(&functions, fused) >= 4, "{isa}");
    }
}

#[test]
fn stencils_stream_whole_registers_past_the_caches() {
    for (isa, bytes) in FLOATS {
        let functions = inside(isa, &["stencil", "rows", "Kernel", "6update"]);
        for (name, stream) in [("f32", Mnemonic::Vmovntps), ("f64", Mnemonic::Vmovntpd)] {
            // Which kind of store a row wants is asked at every register, and with checks on the
            // compiler puts the answer out of the loop's line: so not only loops are looked at.
            let mut streams = functions.iter().flat_map(|function| &function.instructions);
            let whole = |i: &Instruction| i.mnemonic() == stream && vector_bytes(i) == bytes;
            assert!(streams.any(whole), "{isa}, {name}");
        }
    }
}

#[test]
fn stencils_ask_for_both_levels() {
    for (isa, _) in FLOATS {
        let functions = inside(isa, &["stencil", "rows", "Kernel", "6update"]);
        let asks = |function: &Function, level| {
            function.instructions.iter().any(|i| i.mnemonic() == level)
        };
        assert!(functions.iter().any(|function| asks(function, Mnemonic::Prefetcht0)), "{isa}");
        for function in functions {
            let levels = [Mnemonic::Prefetcht0, Mnemonic::Prefetcht1];
            let [near, far] = levels.map(|level| asks(function, level));
            assert_eq!(near, far, "{isa}, {}", function.symbol);
        }
    }
}

#[test]
fn stencils_join_their_neighbours_in_registers_of_64_bytes() {
    for (name, join) in [("f32", Mnemonic::Valignd), ("f64", Mnemonic::Valignq)] {
        let joins = |isa: &str, bytes: usize| {
            let functions = inside(isa, &["stencil", "rows", "Kernel", "6update"]);
            // With checks on they stand out of the loop's line, as stores past the caches do.
            let all = functions.iter().flat_map(|function| &function.instructions);
            all.filter(|i| i.mnemonic() == join && vector_bytes(i) == bytes).count()
        };
        // To the left and to the right, of a row at least.
        assert!(joins("Avx512", 64) >= 2, "{name}");
        // Half as long registers are read off their place.
        assert_eq!(joins("Avx2", 32), 0, "{name}");
    }
}

fn is_fused(instruction: &Instruction) -> bool {
    format!("{:?}", instruction.mnemonic()).starts_with("Vfmadd")
}
