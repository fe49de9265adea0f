//! JavaScript: whatever `npm run build` does, which is componentize-qjs in ours.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::bail;

use super::{output, tool};

pub(super) fn build(folder: &Path) -> anyhow::Result<PathBuf> {
    if !folder.join("node_modules").is_dir() {
        tool(
            npm().args(["install", "--no-fund", "--no-audit"]),
            folder,
            INSTALL_NODE,
        )?;
    }
    let output = output(folder)?;
    tool(
        npm().args(["run", "--silent", "build"]),
        folder,
        INSTALL_NODE,
    )?;
    if !output.is_file() {
        bail!(
            "`npm run build` made no {}: that is where its script must put the component",
            output.display()
        );
    }
    Ok(output)
}

fn npm() -> Command {
    // Standard output is for the path of the component.
    let mut npm = Command::new("npm");
    npm.stdout(std::io::stderr());
    npm
}

const INSTALL_NODE: &str = "install Node.js 18 or later from https://nodejs.org";
