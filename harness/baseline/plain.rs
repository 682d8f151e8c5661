//! The plain source: each kernel as anyone would write it, in at least two natural loop orders.
//!
//! The build script compiles this crate several times with the compiler that builds the harness:
//! for every level of CPU features once with the compiler's vectorisers off and once with them
//! on, otherwise alike. It never panics (the panic code is not part of its object file), so rows
//! are taken with iterators and `get` rather than with indices.
#[path = "../src/baseline/abi.rs"]
#[allow(dead_code, reason = "the harness's half")]
mod abi;
mod bert;
mod gemm;
mod kmeans;
mod stencil;

/// The one symbol of this build; the build script names the variant.
#[unsafe(export_name = concat!("tilewise_plain_", env!("TILEWISE_PLAIN_VARIANT")))]
pub static TABLE: abi::Table = abi::Table {
    gemm_rows: gemm::rows,
    gemm_dots: gemm::dots,
    assign_rows: kmeans::rows,
    assign_rows_lanes: kmeans::rows_lanes,
    assign_rows_turned: kmeans::rows_turned,
    assign_blocks: kmeans::blocks,
    assign_blocks_lanes: kmeans::blocks_lanes,
    heat5_f32: [stencil::heat5_rows_f32, stencil::heat5_strips_f32],
    heat5_pairs_f32: stencil::heat5_pairs_f32,
    heat5_pairs_f64: stencil::heat5_pairs_f64,
    heat7_pairs_f32: stencil::heat7_pairs_f32,
    heat7_pairs_f64: stencil::heat7_pairs_f64,
    heat5_f64: [stencil::heat5_rows_f64, stencil::heat5_strips_f64],
    heat7_f32: [stencil::heat7_planes_f32, stencil::heat7_strips_f32],
    heat7_f64: [stencil::heat7_planes_f64, stencil::heat7_strips_f64],
    linear: [bert::linear_dots, bert::linear_strips],
    quantise: bert::quantise,
    linear_bytes: [bert::linear_dots_bytes, bert::linear_strips_bytes],
    attend: bert::attend,
    norm: bert::norm,
    gelu: bert::gelu,
};

/// The rows of a row-major matrix.
fn rows<T>(matrix: &[T], width: usize) -> core::slice::ChunksExact<'_, T> {
    matrix.chunks_exact(width.max(1))
}
