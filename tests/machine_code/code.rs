//! Reads the machine code of the running executable: its functions by symbol, whom they call,
//! their loops, and what an instruction does.

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind, Register};
use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};
use std::collections::{BTreeMap, BTreeSet};

/// Functions by address.
pub(crate) struct Program {
    functions: BTreeMap<u64, Function>,
    /// Where the linker left addresses of functions for calls through memory.
    pointers: BTreeMap<u64, u64>,
}

/// A function as it was linked.
pub(crate) struct Function {
    /// Its symbol, mangled.
    pub(crate) symbol: String,
    /// All of it, in order.
    pub(crate) instructions: Vec<Instruction>,
}

impl Program {
    /// This executable. Code is read and not run, so it may be for another CPU.
    pub(crate) fn running() -> Self {
        let path = std::env::current_exe().expect("a running program has a file");
        let bytes = std::fs::read(path).expect("its file can be read");
        let file = object::File::parse(&*bytes).expect("its file is an object file");
        let mut functions = BTreeMap::new();
        for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text) {
            let code = symbol
                .section_index()
                .and_then(|index| file.section_by_index(index).ok())
                .and_then(|section| section.data_range(symbol.address(), symbol.size()).ok()?);
            if let (Some(code), Ok(name)) = (code, symbol.name()) {
                let decoder = Decoder::with_ip(64, code, symbol.address(), DecoderOptions::NONE);
                let instructions = decoder.into_iter().collect();
                let function = Function { symbol: name.to_owned(), instructions };
                functions.insert(symbol.address(), function);
            }
        }
        let relocations = file.dynamic_relocations().into_iter().flatten();
        let pointers = relocations.map(|(at, relocation)| (at, relocation.addend() as u64));
        Program { functions, pointers: pointers.collect() }
    }

    /// The functions whose symbols have every part, in whatever way names are mangled.
    pub(crate) fn named(&self, parts: &[&str]) -> impl Iterator<Item = &Function> {
        self.functions
            .values()
            .filter(move |function| parts.iter().all(|part| function.symbol.contains(part)))
    }

    /// The functions with all of `parts` in their symbols that those with all of `roots` call,
    /// directly or through others.
    pub(crate) fn called_from(&self, roots: &[&str], parts: &[&str]) -> Vec<&Function> {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&Function> = self.named(roots).collect();
        while let Some(function) = open.pop() {
            for callee in self.callees(function) {
                if seen.insert(callee.instructions[0].ip()) {
                    open.push(callee);
                }
            }
        }
        let called = seen.iter().map(|address| &self.functions[address]);
        called.filter(|called| parts.iter().all(|part| called.symbol.contains(part))).collect()
    }

    /// Calls and jumps to the beginning of another function, direct or through a pointer.
    fn callees(&self, function: &Function) -> impl Iterator<Item = &Function> {
        let targets = function.instructions.iter().filter_map(|instruction| {
            match (instruction.flow_control(), instruction.op0_kind()) {
                (FlowControl::Call | FlowControl::UnconditionalBranch, OpKind::NearBranch64) => {
                    Some(instruction.near_branch_target())
                }
                (FlowControl::IndirectCall | FlowControl::IndirectBranch, OpKind::Memory) => {
                    self.pointers.get(&instruction.memory_displacement64()).copied()
                }
                _ => None,
            }
        });
        targets
            .filter_map(|target| self.functions.get(&target))
            .filter(|callee| !callee.instructions.is_empty())
    }
}

impl Function {
    /// The bodies of the innermost loops: from the target of a jump backwards to the jump.
    pub(crate) fn innermost_loops(&self) -> Vec<&[Instruction]> {
        let position = |ip| self.instructions.binary_search_by_key(&ip, Instruction::ip).ok();
        let mut loops: Vec<(usize, usize)> = Vec::new();
        for (end, instruction) in self.instructions.iter().enumerate() {
            let jumps = matches!(
                instruction.flow_control(),
                FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch
            );
            if jumps && instruction.op0_kind() == OpKind::NearBranch64 {
                let target = position(instruction.near_branch_target());
                loops.extend(target.filter(|&start| start <= end).map(|start| (start, end)));
            }
        }
        let holds_another = |&(start, end): &(usize, usize)| {
            loops.iter().any(|&(s, e)| (s, e) != (start, end) && start <= s && e <= end)
        };
        let innermost = loops.iter().filter(|each| !holds_another(each));
        innermost.map(|&(start, end)| &self.instructions[start..=end]).collect()
    }
}

/// Bytes of the widest vector register an instruction names; 0 for none.
pub(crate) fn vector_bytes(instruction: &Instruction) -> usize {
    let registers = (0..instruction.op_count())
        .filter(|&op| instruction.op_kind(op) == OpKind::Register)
        .map(|op| instruction.op_register(op));
    let is_vector = |register: &Register| register.is_vector_register();
    registers.filter(is_vector).map(Register::size).max().unwrap_or(0)
}

/// Whether an instruction calculates on several numbers at once: packed sums, differences,
/// products, quotients, minima, maxima, comparisons, roots, fused operations and dot products of
/// floats, and the same and shifts of integers.
///
/// Moving is not calculating: loads, stores, broadcasts, shuffles and conversions do not count,
/// nor does bitwise logic, for `xorps` is how any register, a scalar one too, is set to zero.
pub(crate) fn is_packed_arithmetic(mnemonic: Mnemonic) -> bool {
    const FLOATS: [&str; 13] = [
        "add", "sub", "mul", "div", "min", "max", "cmp", "sqrt", "fmadd", "fmsub", "fnmadd",
        "fnmsub", "hadd",
    ];
    const INTEGERS: [&str; 13] = [
        "padd", "psub", "pmul", "pmadd", "pdp", "pmin", "pmax", "pcmp", "psad", "pabs", "psll",
        "psrl", "psra",
    ];
    let name = format!("{mnemonic:?}").to_lowercase();
    let name = name.strip_prefix('v').unwrap_or(&name);
    let starts = |stems: &[&str]| stems.iter().any(|stem| name.starts_with(stem));
    let packed_floats = name.ends_with("ps") || name.ends_with("pd");
    (packed_floats && starts(&FLOATS)) || starts(&INTEGERS)
}
