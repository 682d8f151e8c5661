//! Rivals in Rust, each in the fastest configuration its users can have: weights laid out
//! beforehand where it can, and all calls of a batch made from inside its thread pool, which costs
//! more to enter than some products take.

use super::floats::Floats;
use super::operands::Operands;
use gemmkit::{MatMut, MatRef, PackedRhs};
use rayon::{ThreadPool, ThreadPoolBuilder};
use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_tensor::NdTensorView;
use tilewise::gemm::Shape;
use tilewise_harness::peers::entrant::{Batch, Entrant, Facts, Numbers};

/// Makes an entrant that multiplies by so many sets of weights in turn.
type Library = for<'a> fn(&'a Operands, usize, &'a ThreadPool) -> Box<dyn Entrant + 'a>;

/// All of them, by name.
pub(crate) const ALL: [(&str, Library); 3] =
    [("rten-gemm", rten), ("gemmkit", gemmkit), (FLOAT, float)];

/// The one that multiplies floats.
pub(crate) const FLOAT: &str = "gemm-f32";

/// A pool of so many threads, placed by the scheduler as ours are.
pub(crate) fn pool(threads: usize) -> Result<ThreadPool, String> {
    ThreadPoolBuilder::new().num_threads(threads).build().map_err(|error| error.to_string())
}

/// A product as a library makes it.
trait Multiply: Send {
    /// Multiplies by one of the sets of weights.
    fn multiply(&mut self, copy: usize);

    /// The product as the reference has it.
    fn product(&self) -> Numbers;
}

/// A library at work in a pool.
struct InPool<'p, M> {
    facts: Facts,
    multiply: M,
    copies: usize,
    next: usize,
    pool: &'p ThreadPool,
}

impl<M: Multiply> Entrant for InPool<'_, M> {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn result(&mut self) -> Result<Numbers, String> {
        let multiply = &mut self.multiply;
        self.pool.install(|| multiply.multiply(0));
        Ok(multiply.product())
    }

    fn batch(&mut self, calls: usize) -> Result<Batch, String> {
        let InPool { multiply, copies, next, pool, .. } = self;
        Ok(pool.install(|| {
            Batch::run(calls, || {
                multiply.multiply(*next);
                *next = (*next + 1) % *copies;
            })
        }))
    }
}

fn facts(name: &str, version: &str, dtype: &str, timed: &str) -> Facts {
    Facts {
        name: name.into(),
        title: format!("{name} {version}"),
        version: version.into(),
        dtype: dtype.into(),
        other_precision: false,
        timed: timed.into(),
        recipe: None,
    }
}

struct Rten<'a> {
    executor: &'a GemmExecutor<u8, i8, i32>,
    lhs: NdTensorView<'a, u8, 2>,
    weights: Vec<PackedBMatrix<i8>>,
    out: Vec<i32>,
}

fn rten<'a>(operands: &'a Operands, copies: usize, pool: &'a ThreadPool) -> Box<dyn Entrant + 'a> {
    let shape = operands.shape;
    // It may be shared with the pool's threads but not moved to them; it is a few bytes, for ever.
    let executor: &GemmExecutor<u8, i8, i32> = Box::leak(Box::default());
    let pack = |weights: &Vec<i8>| {
        executor.prepack_b(NdTensorView::from_data([shape.k, shape.n], weights.as_slice()))
    };
    let multiply = Rten {
        weights: operands.weights[..copies].iter().map(pack).collect(),
        lhs: NdTensorView::from_data([shape.m, shape.k], operands.lhs.as_slice()),
        out: vec![0; shape.m * shape.n],
        executor,
    };
    let timed = "calls on row-major arrays inside its thread pool; weights packed beforehand";
    let facts = facts("rten-gemm", "0.27.0", "u8 x i8 -> i32", timed);
    Box::new(InPool { facts, multiply, copies, next: 0, pool })
}

impl Multiply for Rten<'_> {
    fn multiply(&mut self, copy: usize) {
        let weights = GemmInputB::Packed(&self.weights[copy]);
        let lhs = GemmInputA::Unpacked(self.lhs);
        self.executor
            .gemm(&mut self.out, lhs, weights, GemmOptions::default())
            .expect("operands of one shape");
    }

    fn product(&self) -> Numbers {
        Numbers::I32(self.out.clone())
    }
}

/// i8 by i8 only, so activations are moved down by 128 beforehand. With packed weights it wants
/// its product by columns, with plain ones it has a row-major path: whichever is faster is taken.
struct Gemmkit<'a> {
    operands: &'a Operands,
    lhs: Vec<i8>,
    packed: Option<Vec<PackedRhs<i8>>>,
    out: Vec<i32>,
    parallelism: gemmkit::Parallelism,
}

fn gemmkit<'a>(
    operands: &'a Operands,
    copies: usize,
    pool: &'a ThreadPool,
) -> Box<dyn Entrant + 'a> {
    let shape = operands.shape;
    let view = |weights: &'a Vec<i8>| MatRef::from_row_major(weights, shape.k, shape.n);
    let weights = operands.weights[..copies].iter();
    let packed = weights.map(|weights| gemmkit::prepack_rhs_i8(view(weights))).collect();
    let threads = pool.current_num_threads();
    let mut multiply = Gemmkit {
        operands,
        lhs: operands.lhs.iter().map(|byte| (byte ^ 0x80).cast_signed()).collect(),
        packed: Some(packed),
        out: vec![0; shape.m * shape.n],
        parallelism: match threads {
            1 => gemmkit::Parallelism::Serial,
            threads => gemmkit::Parallelism::Rayon(threads),
        },
    };
    let least = |multiply: &mut Gemmkit<'_>| {
        let once = |_| Batch::run(1, || multiply.multiply(0)).seconds;
        pool.install(|| (0..5).map(once).fold(f64::MAX, f64::min))
    };
    let by_columns = least(&mut multiply);
    let packed = multiply.packed.take();
    let timed = if least(&mut multiply) < by_columns {
        "calls on row-major arrays inside its thread pool; weights as they lie (faster here)"
    } else {
        multiply.packed = packed;
        "calls inside its thread pool, rows in, columns out; weights packed beforehand"
    };
    let facts = facts("gemmkit", "0.1.2", "i8 x i8 -> i32", timed);
    Box::new(InPool { facts, multiply, copies, next: 0, pool })
}

impl Multiply for Gemmkit<'_> {
    fn multiply(&mut self, copy: usize) {
        let shape = self.operands.shape;
        let lhs = MatRef::from_row_major(&self.lhs, shape.m, shape.k);
        if let Some(packed) = &self.packed {
            let out = MatMut::from_col_major(&mut self.out, shape.m, shape.n);
            gemmkit::gemm_i8_packed_b(1, lhs, &packed[copy], 0, out, self.parallelism);
        } else {
            let weights = &self.operands.weights[copy];
            let weights = MatRef::from_row_major(weights, shape.k, shape.n);
            let out = MatMut::from_row_major(&mut self.out, shape.m, shape.n);
            gemmkit::gemm_i8(1, lhs, weights, 0, out, self.parallelism);
        }
    }

    /// By rows, and with what moving the activations took away.
    fn product(&self) -> Numbers {
        let shape = self.operands.shape;
        let mut moved = vec![0i32; shape.n];
        for row in self.operands.weights[0].chunks_exact(shape.n) {
            moved.iter_mut().zip(row).for_each(|(sum, weight)| *sum += 128 * i32::from(*weight));
        }
        let at = |row: usize, column: usize| match self.packed {
            Some(_) => self.out[column * shape.m + row],
            None => self.out[row * shape.n + column],
        };
        let sums = (0..shape.m)
            .flat_map(|row| (0..shape.n).map(move |column| (row, column)))
            .map(|(row, column)| at(row, column).wrapping_add(moved[column]));
        Numbers::I32(sums.collect())
    }
}

struct Float {
    shape: Shape,
    lhs: Vec<f32>,
    weights: Vec<Vec<f32>>,
    out: Vec<f32>,
    parallelism: gemm::Parallelism,
}

impl Float {
    /// At work in a pool, by each of the sets of weights in turn.
    fn at_work(
        shape: Shape,
        lhs: Vec<f32>,
        weights: Vec<Vec<f32>>,
        pool: &ThreadPool,
    ) -> InPool<'_, Float> {
        let parallelism = match pool.current_num_threads() {
            1 => gemm::Parallelism::None,
            threads => gemm::Parallelism::Rayon(threads),
        };
        let timed =
            "calls on row-major arrays inside its thread pool, weights as they lie; AVX-512 on";
        let facts = facts(FLOAT, "0.19.0", "f32 x f32 -> f32", timed);
        let (copies, out) = (weights.len(), vec![0.0; shape.m * shape.n]);
        let multiply = Float { shape, lhs, weights, out, parallelism };
        InPool { facts, multiply, copies, next: 0, pool }
    }
}

/// The rival of our own floats.
pub(crate) fn floats<'a>(floats: &Floats, pool: &'a ThreadPool) -> Box<dyn Entrant + 'a> {
    let (x, weights) = (floats.x.clone(), vec![floats.weights.clone()]);
    Box::new(Float::at_work(floats.shape, x, weights, pool))
}

/// Another precision: what a product costs those who have not quantised. Four times the bytes, so
/// a quarter of the sets of weights fill the same memory.
fn float<'a>(operands: &'a Operands, copies: usize, pool: &'a ThreadPool) -> Box<dyn Entrant + 'a> {
    let copies = copies.div_ceil(4);
    let real = |weights: &Vec<i8>| weights.iter().map(|&weight| f32::from(weight)).collect();
    let lhs = operands.lhs.iter().map(|&byte| f32::from(byte)).collect();
    let weights = operands.weights[..copies].iter().map(real).collect();
    let mut entrant = Float::at_work(operands.shape, lhs, weights, pool);
    entrant.facts.other_precision = true;
    Box::new(entrant)
}

impl Multiply for Float {
    #[allow(unsafe_code, reason = "the gemm crate has no safe door")]
    fn multiply(&mut self, copy: usize) {
        let Shape { m, n, k } = self.shape;
        let (lhs, weights, out) = (&self.lhs, &self.weights[copy], &mut self.out);
        assert!(lhs.len() == m * k && weights.len() == k * n && out.len() == m * n);
        let (k_stride, n_stride) = (k as isize, n as isize);
        // SAFETY: all three are row-major with the lengths just checked, and the output is ours
        // alone.
        unsafe {
            gemm::gemm(
                m,
                n,
                k,
                out.as_mut_ptr(),
                1,
                n_stride,
                false,
                lhs.as_ptr(),
                1,
                k_stride,
                weights.as_ptr(),
                1,
                n_stride,
                0.0,
                1.0,
                false,
                false,
                false,
                self.parallelism,
            );
        }
    }

    fn product(&self) -> Numbers {
        Numbers::F32(self.out.clone())
    }
}
