//! What can be told of a plugin from its bytes alone, before anything is compiled: whether it is one,
//! what it wants, and whether it would be costly.

use std::collections::BTreeSet;

use wasmparser::{
    BlockType, ComponentExternalKind, Encoding, FunctionBody, Operator, Parser, Payload, TypeRef,
};

use crate::plugins::{Kind, Limits, Wasi};

/// What the bytes say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Component or core module.
    pub form: Form,
    /// Version of the contract that its world is of, `0.1.0`; none for a core module.
    pub contract: Option<String>,
    /// What the component imports, as written, `trackmill:plugin/host@0.1.0`; empty for a core module.
    pub imports: Vec<String>,
    /// Functions of all modules.
    pub functions: u32,
    /// Linear memories that all modules define.
    pub memories: u32,
    /// The largest product of a function's locals and the depth of its nesting.
    pub locals_times_nesting: u64,
}

/// What was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A component that implements one of the worlds.
    Component(Kind),
    /// A core module that tells its world in a custom section: it is encoded before it is compiled.
    CoreModule,
}

/// Why the bytes are no plugin, or one that this host does not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// No bytes.
    #[error("the file is empty: build the plugin again")]
    Empty,
    /// Machine code, as wasmtime keeps it.
    #[error(
        "compiled code is never taken from outside: give the component that it was made of, `.wasm`"
    )]
    Compiled,
    /// Not WebAssembly, not even its beginning.
    #[error(
        "not a WebAssembly file: it does not begin with `\\0asm`; `trackmill plugin build` makes one of \
         source, text (`.wat`) is taken only by `trackmill plugin check`, `run` and `bench`, and compiled code is \
         never taken"
    )]
    NotWasm,
    /// The bytes end early or contradict themselves.
    #[error(
        "malformed WebAssembly: {reason} at byte {offset}; if it was cut off on its way, copy or build it \
         again"
    )]
    Malformed {
        /// What is wrong.
        reason: String,
        /// Where.
        offset: u64,
    },
    /// A core module of which nobody knows the world.
    #[error(
        "a core module without a `component-type` section: build it with `trackmill plugin build`, \
         which makes a component of it"
    )]
    CoreModule,
    /// Too much of something.
    #[error(
        "{what}: {found}, and the limit is {limit}; make the plugin smaller or raise the limit"
    )]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How much.
        found: u64,
        /// How much may be.
        limit: u64,
    },
    /// It wants something that no plugin gets.
    #[error("it imports `{name}`, {reason}")]
    Import {
        /// What it wants.
        name: String,
        /// Why it does not get it, and what to do.
        reason: &'static str,
    },
    /// It implements neither world.
    #[error(
        "it implements neither world of {CONTRACT}@{VERSION}: export `plugin` and either \
         `track-inspector` or `track-transformer` (it exports: {exports})"
    )]
    World {
        /// What it has instead.
        exports: String,
    },
    /// It implements both worlds.
    #[error("it exports both `track-inspector` and `track-transformer`: choose one world")]
    BothWorlds,
    /// It was built for another line of the contract.
    #[error(
        "it was built for {CONTRACT}@{found}, and this host knows {VERSION}: build it again with the SDK \
         of this release"
    )]
    Version {
        /// What it was built for.
        found: String,
    },
}

impl ScanError {
    /// Whether larger limits would help.
    pub const fn is_about_limits(&self) -> bool {
        matches!(self, Self::TooMuch { .. })
    }
}

/// Reads the bytes without validating code, which the compiler does in its own process.
///
/// # Errors
/// They are no plugin, or one beyond the limits.
pub fn scan(bytes: &[u8], limits: &Limits) -> Result<Scan, ScanError> {
    if bytes.is_empty() {
        return Err(ScanError::Empty);
    }
    at_most("bytes", to_u64(bytes.len()), to_u64(limits.component_size))?;
    if bytes.starts_with(b"\x7fELF") {
        return Err(ScanError::Compiled);
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(ScanError::NotWasm);
    }
    let mut survey = Survey::default();
    for payload in Parser::new(0).parse_all(bytes) {
        survey.add(payload?)?;
        survey.check(limits)?;
    }
    survey.conclude(limits.wasi)
}

/// What has been seen so far.
#[derive(Default)]
struct Survey {
    /// Modules and components around the current place.
    depth: u32,
    is_component: bool,
    has_component_type: bool,
    imports: Vec<String>,
    exports: BTreeSet<String>,
    functions: u32,
    memories: u32,
    /// Those that the module in hand has, its own and imported ones.
    module_memories: u32,
    locals_times_nesting: u64,
}

impl Survey {
    fn add(&mut self, payload: Payload<'_>) -> Result<(), ScanError> {
        match payload {
            Payload::Version { encoding, .. } => {
                self.is_component |= self.depth == 0 && encoding == Encoding::Component;
                self.module_memories = 0;
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => self.depth += 1,
            Payload::End(_) => self.depth = self.depth.saturating_sub(1),
            Payload::CustomSection(section) if section.name().starts_with("component-type") => {
                self.has_component_type |= self.depth == 0;
            }
            Payload::ComponentImportSection(section) if self.depth == 0 => {
                for import in section {
                    self.imports.push(import?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if self.depth == 0 => {
                for export in section {
                    self.add_export(&export?);
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let is_memory = matches!(import?.ty, TypeRef::Memory(_));
                    self.module_memories += u32::from(is_memory);
                }
            }
            Payload::MemorySection(section) => {
                self.memories = self.memories.saturating_add(section.count());
                self.module_memories = self.module_memories.saturating_add(section.count());
            }
            Payload::CodeSectionStart { count, .. } => {
                self.functions = self.functions.saturating_add(count);
            }
            Payload::CodeSectionEntry(body) => {
                self.locals_times_nesting = self.locals_times_nesting.max(cost(&body)?);
            }
            _ => {}
        }
        Ok(())
    }

    fn add_export(&mut self, export: &wasmparser::ComponentExport<'_>) {
        if export.kind == ComponentExternalKind::Instance {
            self.exports.insert(export.name.name.to_owned());
        }
    }

    fn check(&self, limits: &Limits) -> Result<(), ScanError> {
        let limits = &limits.compilation;
        at_most("functions", self.functions.into(), limits.functions.into())?;
        at_most("memories", self.memories.into(), limits.memories.into())?;
        at_most("memories of one module", self.module_memories.into(), 1)?;
        at_most(
            "locals of a function times the depth of its nesting",
            self.locals_times_nesting,
            limits.locals_times_nesting,
        )
    }

    fn conclude(self, wasi: Wasi) -> Result<Scan, ScanError> {
        let form = if self.is_component {
            for import in &self.imports {
                check_import(import, wasi)?;
            }
            Form::Component(self.kind()?)
        } else if self.has_component_type {
            Form::CoreModule
        } else {
            return Err(ScanError::CoreModule);
        };
        Ok(Scan {
            form,
            contract: self.contract(),
            imports: self.imports,
            functions: self.functions,
            memories: self.memories,
            locals_times_nesting: self.locals_times_nesting,
        })
    }

    /// The version of what it exports.
    fn contract(&self) -> Option<String> {
        let plugin = self.exports.iter().find(|name| is_ours(name, "plugin"))?;
        let (_, version) = plugin.split_once('@')?;
        Some(version.to_owned())
    }

    fn kind(&self) -> Result<Kind, ScanError> {
        self.exports
            .iter()
            .try_for_each(|name| check_version(name))?;
        let has = |interface| self.exports.iter().any(|name| is_ours(name, interface));
        match (
            has("plugin"),
            has("track-inspector"),
            has("track-transformer"),
        ) {
            (_, true, true) => Err(ScanError::BothWorlds),
            (true, true, false) => Ok(Kind::Inspector),
            (true, false, true) => Ok(Kind::Transformer),
            _ => Err(ScanError::World {
                exports: list(&self.exports),
            }),
        }
    }
}

/// Locals times nesting, which bounds the work of building SSA form and of allocating registers.
fn cost(body: &FunctionBody<'_>) -> Result<u64, ScanError> {
    let mut locals = 0_u64;
    for group in body.get_locals_reader()? {
        locals = locals.saturating_add(group?.0.into());
    }
    let (mut depth, mut deepest) = (1_u64, 1_u64);
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        match operators.read()? {
            Operator::Block { blockty } | Operator::Loop { blockty } | Operator::If { blockty } => {
                depth += 1;
                // A block that takes or gives several values has as many more variables.
                locals = locals.saturating_add(matches!(blockty, BlockType::FuncType(_)).into());
            }
            Operator::End => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    Ok(locals.saturating_mul(deepest))
}

fn check_import(name: &str, wasi: Wasi) -> Result<(), ScanError> {
    let refuse = |reason| {
        Err(ScanError::Import {
            name: name.to_owned(),
            reason,
        })
    };
    let (interface, version) = name.split_once('@').unwrap_or((name, ""));
    check_version(name)?;
    if OUR_IMPORTS.contains(&interface) {
        return Ok(());
    }
    if !interface.starts_with("wasi:") {
        return refuse("which this host does not have: import only what the contract has");
    }
    if wasi == Wasi::Deny {
        return refuse("and `wasi: deny` is set: build it for wasm32-unknown-unknown");
    }
    if ["wasi:http/", "wasi:sockets/"]
        .iter()
        .any(|network| interface.starts_with(network))
    {
        return refuse("and no plugin gets a network: send events, and let their receiver act");
    }
    if !WASI_IMPORTS.contains(&interface) || !version.starts_with("0.2.") {
        return refuse(
            "which no plugin gets: only what the standard library of wasm32-wasip2 needs",
        );
    }
    Ok(())
}

fn check_version(name: &str) -> Result<(), ScanError> {
    let Some((interface, version)) = name.split_once('@') else {
        return Ok(());
    };
    if !interface.starts_with(CONTRACT) || version.starts_with("0.1.") {
        return Ok(());
    }
    Err(ScanError::Version {
        found: version.to_owned(),
    })
}

fn is_ours(name: &str, interface: &str) -> bool {
    let ours = name
        .strip_prefix(CONTRACT)
        .and_then(|name| name.strip_prefix('/'));
    ours.and_then(|name| name.split_once('@'))
        .is_some_and(|(name, _)| name == interface)
}

fn list(names: &BTreeSet<String>) -> String {
    let shown: Vec<&str> = names.iter().take(8).map(String::as_str).collect();
    if shown.is_empty() {
        return "nothing".to_owned();
    }
    shown.join(", ")
}

fn at_most(what: &'static str, found: u64, limit: u64) -> Result<(), ScanError> {
    if found > limit {
        return Err(ScanError::TooMuch { what, found, limit });
    }
    Ok(())
}

fn to_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

impl From<wasmparser::BinaryReaderError> for ScanError {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self::Malformed {
            reason: error.message().to_owned(),
            offset: to_u64(error.offset()),
        }
    }
}

/// The package of the contract.
const CONTRACT: &str = "trackmill:plugin";
/// Its version.
const VERSION: &str = "0.1.0";
const OUR_IMPORTS: &[&str] = &[
    "trackmill:plugin/types",
    "trackmill:plugin/host",
    "trackmill:plugin/config",
    "trackmill:plugin/events",
    "trackmill:plugin/metrics",
];
const WASI_IMPORTS: &[&str] = &[
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
];
