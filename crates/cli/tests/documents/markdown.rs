//! Reading documents: what stands in their code blocks.

use std::{fs, io::Write, path::PathBuf};

use oasis_test_vectors::repository_root;

/// A code block.
#[derive(Clone, Debug)]
pub struct Block {
    /// What the document calls its language; empty for none.
    pub language: String,
    /// Its lines, without what they are indented by.
    pub text: String,
    /// Where it is, for people.
    pub place: String,
}

/// A document.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its name.
    pub name: String,
    /// Its code blocks, in order.
    pub blocks: Vec<Block>,
}

impl Document {
    fn read(name: &str, text: &str) -> Self {
        let mut blocks = Vec::new();
        let mut open: Option<(usize, Block)> = None;
        for (number, line) in text.lines().enumerate() {
            let trimmed = line.trim_start();
            let fence = trimmed.starts_with("```");
            match (&mut open, fence) {
                (None, true) => {
                    let language = trimmed.trim_start_matches('`').trim().to_owned();
                    let place = format!("{name}:{}", number + 1);
                    open = Some((line.len() - trimmed.len(), Block { language, text: String::new(), place }));
                }
                (Some(_), true) => blocks.extend(open.take().map(|(_, block)| block)),
                (Some((indent, block)), false) => {
                    block.text.push_str(line.get(*indent..).unwrap_or(trimmed));
                    block.text.push('\n');
                }
                (None, false) => {}
            }
        }
        Self { name: name.to_owned(), blocks }
    }
}

/// Where further documents are: `$OASIS_SEEDS`, by default `../shared/seeds` beside the checkout.
fn further() -> PathBuf {
    let beside = || repository_root().join("../shared/seeds");
    std::env::var_os("OASIS_SEEDS").filter(|dir| !dir.is_empty()).map_or_else(beside, PathBuf::from)
}

/// The repository's own documents, and the further ones where there are any; says where there are none.
pub fn documents() -> Vec<Document> {
    let mut paths = vec![repository_root().join("docs/running.md"), repository_root().join("docs/operators.md")];
    let dir = further();
    match fs::read_dir(&dir) {
        Ok(entries) => {
            let mut found: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
            found.sort();
            paths.extend(found);
        }
        Err(e) => {
            // Tests that pass keep what they print to themselves, unless it goes around them.
            let text = format!("note: no further documents at {} ({e}): only the repository's own were read\n", dir.display());
            std::io::stderr().write_all(text.as_bytes()).unwrap();
        }
    }
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    paths.iter().map(|path| Document::read(&name(path), &String::from_utf8_lossy(&fs::read(path).unwrap()))).collect()
}

/// Puts values in the place of `{{ NAME }}`. What stands around a name says which part of an address it is.
pub fn fill(text: &str, mut value: impl FnMut(&str, bool, bool) -> String) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, tail)) = rest.split_once("{{") {
        let (name, after) = tail.split_once("}}").unwrap();
        out.push_str(before);
        out.push_str(&value(name.trim(), before.ends_with('@'), after.starts_with(':')));
        rest = after;
    }
    out + rest
}

#[test]
fn code_blocks_are_found_in_lists_too() {
    let text = "# A\n```bash\na\n```\n* b\n  ```\n  c\n    d\n  ```\n";
    let blocks = Document::read("x", text).blocks;
    let found: Vec<_> = blocks.iter().map(|b| (b.language.as_str(), b.text.as_str(), b.place.as_str())).collect();
    assert_eq!(found, [("bash", "a\n", "x:2"), ("", "c\n  d\n", "x:6")]);
    assert_eq!(fill("{{ a }}:1 x@{{b}}", |name, at, port| format!("{name}/{at}/{port}")), "a/false/true:1 x@b/true/false");
}
