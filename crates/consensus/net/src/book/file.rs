//! The book as a file: the original's JSON, with the bans added.
//!
//! Source: tendermint `p2p/pex/file.go`, `addrBookJSON`; its reader passes over what it does not know.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use oasis_consensus_engine::PeerId;
use oasis_primitives::{json::ToJson, time::Timestamp};
use serde_json::{Value, json};
use thiserror::Error;

use super::{AddressBook, BUCKET_SIZE, Known, MAX_BANS, MAX_BUCKETS_PER_ADDRESS, NEVER};
use crate::address::NetAddress;

/// Most bytes of a file.
const MAX_FILE: u64 = 64 << 20;
/// Kinds of buckets. Source: `bucketTypeNew`, `bucketTypeOld`.
const NEW: i64 = 1;
const OLD: i64 = 2;

/// Why a file was not read or written.
#[derive(Debug, Error)]
pub enum BookFileError {
    /// The disk.
    #[error("address book {0}: {1}")]
    Io(PathBuf, io::Error),
    /// It is no address book.
    #[error("address book {0}: {1}")]
    Content(PathBuf, String),
}

impl AddressBook {
    /// Reads a book; an empty one where there is no file. Entries that make no sense are left out.
    pub fn load(path: &Path, strict: bool) -> Result<Self, BookFileError> {
        let failed = |e| BookFileError::Io(path.to_owned(), e);
        let content = |e: String| BookFileError::Content(path.to_owned(), e);
        match fs::metadata(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Self::new(strict)),
            Err(e) => return Err(failed(e)),
            Ok(found) if found.len() > MAX_FILE => return Err(content(format!("{} bytes, at most {MAX_FILE} are read", found.len()))),
            Ok(_) => {}
        }
        let bytes = fs::read(path).map_err(failed)?;
        let value: Value = serde_json::from_slice(&bytes).map_err(|e| content(e.to_string()))?;
        Self::from_json(&value, strict).ok_or_else(|| content("expected an object with `key` and `addrs`".to_owned()))
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        let addrs: Vec<_> = self.known.values().map(known_json).collect();
        let bans: Vec<_> = self.bans.iter().map(|(id, until)| json!({"id": id.to_string(), "until": time_json(until)})).collect();
        let mut text = format!("{:#}", json!({"key": self.key, "addrs": addrs, "bans": bans}));
        text.push('\n');
        text
    }

    /// Writes a text in the place of a file, whole or not at all.
    pub fn write(path: &Path, text: &str) -> Result<(), BookFileError> {
        let failed = |e| BookFileError::Io(path.to_owned(), e);
        let beside = path.with_extension("json.new");
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        fs::write(&beside, text).map_err(failed)?;
        fs::rename(&beside, path).map_err(failed)
    }

    /// Reads the file's JSON.
    pub fn from_json(value: &Value, strict: bool) -> Option<Self> {
        let mut book = Self::new(strict);
        book.key = value.get("key")?.as_str()?.chars().take(64).collect();
        let addrs = value.get("addrs")?;
        let addrs = if addrs.is_null() { &Vec::new() } else { addrs.as_array()? };
        for known in addrs.iter().filter_map(known_from_json) {
            book.restore(known);
        }
        for ban in value.get("bans").and_then(Value::as_array).into_iter().flatten().take(MAX_BANS) {
            if let (Some(id), Some(until)) = (ban.get("id").and_then(id_from_json), ban.get("until").and_then(time_from_json)) {
                book.bans.ban(id, until, None, NEVER);
            }
        }
        book.changed = false;
        Some(book)
    }

    /// Puts an entry back where it was, as far as there is room.
    fn restore(&mut self, mut known: Known) {
        let id = known.address.id;
        if self.known.contains_key(&id) {
            return;
        }
        let buckets = self.buckets(known.is_old);
        known.buckets.retain(|at| buckets.get(*at).is_some_and(|b| b.len() <= BUCKET_SIZE));
        known.buckets.sort_unstable();
        known.buckets.dedup();
        known.buckets.truncate(if known.is_old { 1 } else { MAX_BUCKETS_PER_ADDRESS });
        for at in &known.buckets {
            if let Some(bucket) = buckets.get_mut(*at) {
                bucket.insert(id);
            }
        }
        if !known.buckets.is_empty() {
            self.known.insert(id, known);
        }
    }
}

fn known_json(known: &Known) -> Value {
    json!({
        "addr": address_json(&known.address),
        "src": address_json(&known.source),
        "buckets": known.buckets,
        "attempts": known.attempts,
        "bucket_type": if known.is_old { OLD } else { NEW },
        "last_attempt": time_json(known.last_attempt),
        "last_success": time_json(known.last_success),
        "last_ban_time": time_json(NEVER),
    })
}

fn known_from_json(value: &Value) -> Option<Known> {
    let bucket = |v: &Value| usize::try_from(v.as_u64()?).ok();
    Some(Known {
        address: address_from_json(value.get("addr")?)?,
        source: address_from_json(value.get("src")?)?,
        buckets: value.get("buckets")?.as_array()?.iter().filter_map(bucket).take(64).collect(),
        attempts: value.get("attempts")?.as_i64()?.try_into().ok()?,
        is_old: match value.get("bucket_type")?.as_i64()? {
            NEW => false,
            OLD => true,
            _ => return None,
        },
        last_attempt: time_from_json(value.get("last_attempt")?)?,
        last_success: time_from_json(value.get("last_success")?)?,
    })
}

fn address_json(address: &NetAddress) -> Value {
    json!({"id": address.id.to_string(), "ip": address.ip.to_string(), "port": address.port})
}

fn address_from_json(value: &Value) -> Option<NetAddress> {
    let ip: std::net::IpAddr = value.get("ip")?.as_str()?.parse().ok()?;
    Some(NetAddress { id: id_from_json(value.get("id")?)?, ip: ip.to_canonical(), port: value.get("port")?.as_u64()?.try_into().ok()? })
}

fn id_from_json(value: &Value) -> Option<PeerId> {
    value.as_str()?.parse().ok()
}

fn time_json(seconds: i64) -> Value {
    Timestamp::from_unix(seconds, 0).to_json()
}

fn time_from_json(value: &Value) -> Option<i64> {
    Some(Timestamp::parse_rfc3339(value.as_str()?)?.seconds())
}
