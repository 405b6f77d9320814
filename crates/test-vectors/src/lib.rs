//! Finds recorded vectors and hands them to tests.
//!
//! The repository carries a set under `tests/vectors`. A further directory of the same layout is named by
//! `$OASIS_VECTORS`, by default `../shared/vectors` beside the checkout where that exists; it may hold only some files.
//! Each file that a test opens is noted in `$OASIS_VECTORS_SEEN` (when set), so that a run can check that none was missed.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

/// Directories that hold vectors, the repository's own first.
pub fn directories() -> Vec<PathBuf> {
    let root = repository_root();
    let mut out = vec![root.join("tests/vectors")];
    match std::env::var_os("OASIS_VECTORS") {
        Some(dir) if !dir.is_empty() => out.push(PathBuf::from(dir)),
        Some(_) => {}
        None => {
            let beside = root.join("../shared/vectors");
            if beside.is_dir() {
                out.push(beside);
            }
        }
    }
    out
}

/// The root of the checkout.
pub fn repository_root() -> PathBuf {
    let mut dir = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    dir.pop();
    dir.pop();
    dir
}

/// Every file under the vector directories whose path below its directory starts with `prefix` and ends with `suffix`.
///
/// A file that stands in two directories with the same bytes is given once.
pub fn files(prefix: &str, suffix: &str) -> Result<Vec<PathBuf>> {
    let mut by_name: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for dir in directories() {
        if !dir.is_dir() {
            bail!("vector directory {} does not exist", dir.display());
        }
        walk(&dir, &dir, &mut by_name)?;
    }
    let mut out = Vec::new();
    for (name, paths) in by_name {
        let text = name.to_string_lossy();
        if !text.starts_with(prefix) || !text.ends_with(suffix) {
            continue;
        }
        let mut seen: Vec<Vec<u8>> = Vec::new();
        for path in paths {
            let bytes = fs::read(&path)?;
            if !seen.contains(&bytes) {
                seen.push(bytes);
                out.push(path.clone());
            }
            note(&path)?;
        }
    }
    Ok(out)
}

/// Calls `test` with the path and the (gunzipped) bytes of every vector file called `name`.
///
/// Fails where the repository and the further directory have none of that name.
pub fn for_each(name: &str, mut test: impl FnMut(&Path, &[u8]) -> Result<()>) -> Result<()> {
    let found: Vec<_> = files(name, name)?;
    if found.is_empty() {
        bail!("no vector file {name} in {:?}", directories());
    }
    for path in found {
        let bytes = read(&path)?;
        test(&path, &bytes).with_context(|| format!("vector file {}", path.display()))?;
    }
    Ok(())
}

/// Reads a file, gunzipped where its name ends with `.gz`.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let raw = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    if path.extension().is_some_and(|e| e == "gz") {
        let mut out = Vec::new();
        flate2::read::GzDecoder::new(raw.as_slice()).read_to_end(&mut out).with_context(|| format!("gunzipping {}", path.display()))?;
        return Ok(out);
    }
    Ok(raw)
}

/// Reads the file that stands beside a chain file under another ending (such as `.upgrades.json`), where there is one.
pub fn beside_chain(chain: &Path, ending: &str) -> Result<Option<Vec<u8>>> {
    let name = chain.to_string_lossy();
    let path = PathBuf::from(format!("{}{ending}", name.strip_suffix(".cbor.gz").unwrap_or(&name)));
    if !path.exists() {
        return Ok(None);
    }
    note(&path)?;
    read(&path).map(Some)
}

fn note(path: &Path) -> Result<()> {
    if let Some(list) = std::env::var_os("OASIS_VECTORS_SEEN") {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(list)?;
        file.write_all(format!("{}\n", path.canonicalize()?.display()).as_bytes())?;
    }
    Ok(())
}

fn walk(root: &Path, dir: &Path, out: &mut BTreeMap<PathBuf, Vec<PathBuf>>) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(root, &path, out)?;
        } else {
            out.entry(path.strip_prefix(root)?.to_path_buf()).or_default().push(path);
        }
    }
    Ok(())
}
