//! The contract of plugins: every item of `wit/` says what it is.

use std::path::Path;

use wit_parser::{
    Docs, Function, Interface, PackageId, Resolve, TypeDef, TypeDefKind, World, WorldItem,
};

#[test]
fn the_contract_resolves_to_two_worlds_with_the_same_imports() {
    let (resolve, package) = contract();

    let world = |name| &resolve.worlds[resolve.select_world(&[package], Some(name)).unwrap()];
    let names = |world: &World| {
        world
            .imports
            .keys()
            .map(|key| resolve.name_world_key(key))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(world("inspector")), names(world("transformer")));
    for name in ["inspector", "transformer"] {
        let exports = world(name)
            .exports
            .keys()
            .map(|key| resolve.name_world_key(key));
        assert_eq!(
            exports.collect::<Vec<_>>(),
            [
                "trackmill:plugin/plugin@0.1.0".to_owned(),
                format!("trackmill:plugin/track-{name}@0.1.0")
            ]
        );
    }
}

#[test]
fn every_item_of_the_contract_is_documented() {
    let (resolve, package) = contract();
    let mut bare = Bare(Vec::new());

    let package = &resolve.packages[package];
    bare.look("package", &package.docs);
    for (name, id) in &package.worlds {
        bare.world(name, &resolve.worlds[*id]);
    }
    for (name, id) in &package.interfaces {
        bare.interface(name, &resolve, &resolve.interfaces[*id]);
    }

    assert_eq!(
        bare.0, [""; 0],
        "say what it is with `///`: its unit, its range, whose problem an error is"
    );
}

#[test]
fn a_file_holds_one_interface_and_is_called_as_it_is() {
    let (resolve, package) = contract();
    let mut expected: Vec<String> = resolve.packages[package]
        .interfaces
        .keys()
        .map(|name| format!("{name}.wit"))
        .collect();
    expected.push("worlds.wit".to_owned());
    expected.sort();

    let mut files: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".wit"))
        .collect();
    files.sort();

    assert_eq!(files, expected);
}

/// Names of what has no documentation.
struct Bare(Vec<String>);

impl Bare {
    fn look(&mut self, name: &str, docs: &Docs) {
        if docs
            .contents
            .as_deref()
            .unwrap_or_default()
            .trim()
            .is_empty()
        {
            self.0.push(name.to_owned());
        }
    }

    fn world(&mut self, name: &str, world: &World) {
        self.look(name, &world.docs);
        // What is included is documented where it is; what the types need is nobody's line.
        for item in world.exports.values() {
            let WorldItem::Interface { docs, .. } = item else {
                continue;
            };
            self.look(&format!("an export of {name}"), docs);
        }
    }

    fn interface(&mut self, name: &str, resolve: &Resolve, interface: &Interface) {
        self.look(name, &interface.docs);
        for (function_name, function) in &interface.functions {
            self.function(&format!("{name}.{function_name}"), function);
        }
        for (type_name, id) in &interface.types {
            let definition = resolve.types.get(*id).expect("a type of this package");
            self.definition(&format!("{name}.{type_name}"), definition);
        }
    }

    fn function(&mut self, name: &str, function: &Function) {
        self.look(name, &function.docs);
    }

    fn definition(&mut self, name: &str, definition: &TypeDef) {
        let parts: Vec<(&String, &Docs)> = match &definition.kind {
            // Brought in by `use`, documented where it comes from.
            TypeDefKind::Type(_) => return,
            TypeDefKind::Record(record) => record
                .fields
                .iter()
                .map(|it| (&it.name, &it.docs))
                .collect(),
            TypeDefKind::Variant(variant) => variant
                .cases
                .iter()
                .map(|it| (&it.name, &it.docs))
                .collect(),
            TypeDefKind::Enum(list) => list.cases.iter().map(|it| (&it.name, &it.docs)).collect(),
            TypeDefKind::Flags(flags) => {
                flags.flags.iter().map(|it| (&it.name, &it.docs)).collect()
            }
            _ => Vec::new(),
        };
        self.look(name, &definition.docs);
        for (part, docs) in parts {
            self.look(&format!("{name}.{part}"), docs);
        }
    }
}

fn contract() -> (Resolve, PackageId) {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(folder()).expect("wit/ resolves");
    (resolve, package)
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../wit"))
}
