//! What the workspace tests share: guarded memory, the loop over instruction sets, teams, when two
//! elements are the same.

mod guard;

pub use guard::{Guarded, GuardedLines, guarded, guarded_front};

use bytemuck::Pod;
use std::fmt::Debug;
use std::io::Write;
use std::sync::{LazyLock, Once};
use tilewise::{Isa, RayonTeam, Solo, SpinTeam, Team};

/// Calls `test` with every instruction set of this machine, and names on standard error those
/// exercised and those it lacks.
pub fn each_isa(mut test: impl FnMut(Isa)) {
    let (here, lacking): (Vec<Isa>, Vec<Isa>) =
        Isa::ALL.into_iter().partition(|isa| isa.is_available());
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        let names = |isas: &[Isa]| isas.iter().map(|isa| isa.name()).collect::<Vec<_>>().join(", ");
        // Straight to standard error: what the macros print is shown of failing tests only.
        let _ = writeln!(
            std::io::stderr(),
            "instruction sets exercised: {}; not on this machine: {}",
            names(&here),
            if lacking.is_empty() { "none".to_owned() } else { names(&lacking) }
        );
    });
    here.into_iter().for_each(&mut test);
}

/// A team with a name for messages.
pub type NamedTeam = (&'static str, &'static dyn Team);

/// Teams of several kinds and sizes, made once: they live as long as the process.
///
/// # Panics
/// When the system gives no threads.
pub fn teams() -> &'static [NamedTeam] {
    static TEAMS: LazyLock<Vec<NamedTeam>> = LazyLock::new(|| {
        fn keep<T>(value: T) -> &'static T {
            Box::leak(Box::new(value))
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("threads");
        vec![
            ("solo", &Solo),
            ("spin of 2", keep(SpinTeam::new(2).expect("threads"))),
            ("spin of 5", keep(SpinTeam::new(5).expect("threads"))),
            ("rayon of 3", keep(RayonTeam::new(keep(pool)))),
        ]
    });
    &TEAMS
}

/// Whether two elements are the same, bit for bit.
pub trait Same: Pod + Debug {
    /// Whether they are.
    fn same(self, other: Self) -> bool {
        bytemuck::bytes_of(&self) == bytemuck::bytes_of(&other)
    }
}

impl Same for i32 {}
impl Same for u8 {}
impl Same for i8 {}

/// The same bits, or both no number: which NaN comes out is the CPU's business.
impl Same for f32 {
    fn same(self, other: f32) -> bool {
        self.to_bits() == other.to_bits() || (self.is_nan() && other.is_nan())
    }
}
