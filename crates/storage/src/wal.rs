//! The consensus log in files.
//!
//! A directory holds numbered files, of which records are added to the last. A record cut off at the end, by a crash in the
//! middle of a write, is dropped when the log is opened, and the bytes are put aside; damage anywhere before is an error.
//!
//! Source: tendermint `consensus/wal.go`, `libs/autofile/group.go`.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use oasis_consensus_engine::{
    ports::{Fatal, Wal},
    wal::{self, Frame, WalRecord},
};

/// A file ends once it has this size. Source: tendermint `libs/autofile/group.go`, `defaultHeadSizeLimit`.
const FILE_BYTES: u64 = 10 << 20;
/// Older files go beyond this size in all. The original keeps a gigabyte, of which it reads the last height only.
const TOTAL_BYTES: u64 = 100 << 20;
/// Nothing larger is read as one file of the log.
const MAX_FILE: u64 = 256 << 20;

/// The log.
#[derive(Debug)]
pub struct FileWal {
    directory: PathBuf,
    head: File,
    head_number: u64,
    head_bytes: u64,
    /// Whether the file ended with a cut or damaged record when it was opened.
    repaired: Option<PathBuf>,
    /// Whether a write failed: what the file's end holds is not known, so nothing more is written.
    failed: bool,
}

/// What the directory's names of files look like.
fn file_name(number: u64) -> String {
    format!("{number:020}.wal")
}

fn numbers(directory: &Path) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        if let Some(number) = name.to_str().and_then(|name| name.strip_suffix(".wal")).and_then(|n| n.parse().ok()) {
            found.push(number);
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    if size > MAX_FILE {
        return Err(io::Error::other(format!("expected up to {MAX_FILE} bytes, found {size}")));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
    file.take(MAX_FILE).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The whole records of a file, and where the first that is not whole begins.
fn whole_records(bytes: &[u8]) -> (Vec<&[u8]>, usize) {
    let mut records = Vec::new();
    let mut rest = bytes;
    while let Frame::Record(record, after) = wal::read_frame(rest) {
        records.push(record);
        rest = after;
    }
    (records, bytes.len().saturating_sub(rest.len()))
}

impl FileWal {
    /// Opens the log in a directory, or makes one where there is none.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, Fatal> {
        let directory = directory.as_ref();
        Self::open_io(directory).map_err(|e| Fatal::new(format_args!("consensus log in {}: {e}", directory.display())))
    }

    fn open_io(directory: &Path) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let head_number = numbers(directory)?.last().copied().unwrap_or_default();
        let path = directory.join(file_name(head_number));
        let mut repaired = None;
        if path.exists() {
            let bytes = read_file(&path)?;
            let (_, whole) = whole_records(&bytes);
            if let Some(cut) = bytes.get(whole..).filter(|cut| !cut.is_empty()) {
                let aside = path.with_extension("damaged");
                fs::write(&aside, cut)?;
                let file = OpenOptions::new().write(true).open(&path)?;
                file.set_len(u64::try_from(whole).unwrap_or_default())?;
                file.sync_all()?;
                repaired = Some(aside);
            }
        }
        let head = OpenOptions::new().create(true).append(true).open(&path)?;
        let head_bytes = head.metadata()?.len();
        File::open(directory)?.sync_all()?;
        Ok(Self { directory: directory.to_owned(), head, head_number, head_bytes, repaired, failed: false })
    }

    /// Where the bytes of a record are that was cut off when the log was opened; none if there was none.
    pub fn repaired(&self) -> Option<&Path> {
        self.repaired.as_deref()
    }

    fn fatal(&self, error: impl std::fmt::Display) -> Fatal {
        Fatal::new(format_args!("consensus log in {}: {error}", self.directory.display()))
    }

    fn append(&mut self, frame: &[u8], sync: bool) -> io::Result<()> {
        self.head.write_all(frame)?;
        self.head_bytes = self.head_bytes.saturating_add(u64::try_from(frame.len()).unwrap_or_default());
        if sync {
            self.head.sync_data()?;
        }
        Ok(())
    }

    /// Goes on in a new file, and lets the oldest go where there is too much.
    fn rotate(&mut self) -> io::Result<()> {
        self.head.sync_data()?;
        let number = self.head_number.saturating_add(1);
        let head = OpenOptions::new().create(true).append(true).open(self.directory.join(file_name(number)))?;
        File::open(&self.directory)?.sync_all()?;
        (self.head, self.head_number, self.head_bytes) = (head, number, 0);
        let mut total: u64 = 0;
        for number in numbers(&self.directory)?.into_iter().rev() {
            let path = self.directory.join(file_name(number));
            total = total.saturating_add(fs::metadata(&path)?.len());
            if total > TOTAL_BYTES {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }
}

impl Wal for FileWal {
    fn write(&mut self, record: &[u8], sync: bool) -> Result<(), Fatal> {
        if self.failed {
            return Err(self.fatal("an earlier write failed"));
        }
        if let Err(e) = self.append(&wal::frame(record), sync) {
            self.failed = true;
            return Err(self.fatal(e));
        }
        // A new file begins where a height ends, so that few files have to be read at the start.
        if self.head_bytes >= FILE_BYTES && WalRecord::end_height(record).is_some() {
            self.rotate().map_err(|e| self.fatal(e))?;
        }
        Ok(())
    }

    fn records_after(&mut self, height: i64) -> Result<Option<Vec<Vec<u8>>>, Fatal> {
        let mut later: Vec<Vec<Vec<u8>>> = Vec::new();
        for number in numbers(&self.directory).map_err(|e| self.fatal(e))?.into_iter().rev() {
            let path = self.directory.join(file_name(number));
            let bytes = read_file(&path).map_err(|e| self.fatal(e))?;
            let (records, whole) = whole_records(&bytes);
            if whole < bytes.len() && number != self.head_number {
                return Err(self.fatal(format_args!("{} is damaged at byte {whole}", path.display())));
            }
            let end = records.iter().rposition(|record| WalRecord::end_height(record) == Some(height));
            let from = end.map_or(0, |end| end.saturating_add(1));
            later.push(records.get(from..).unwrap_or_default().iter().map(|record| record.to_vec()).collect());
            if end.is_some() {
                return Ok(Some(later.into_iter().rev().flatten().collect()));
            }
            // Heights only grow: where an earlier one has ended, this one has not.
            let earlier = records.iter().filter_map(|record| WalRecord::end_height(record)).any(|found| found < height);
            if earlier {
                return Ok(None);
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(height: i64) -> Vec<u8> {
        WalRecord::EndHeight(height).encode(Default::default())
    }

    fn some_records(count: u8) -> Vec<Vec<u8>> {
        (0..count).map(|i| vec![i; 30 + usize::from(i)]).collect()
    }

    fn written(directory: &Path, records: &[Vec<u8>]) -> PathBuf {
        let mut log = FileWal::open(directory).unwrap();
        log.write(&end(7), true).unwrap();
        for record in records {
            log.write(record, false).unwrap();
        }
        directory.join(file_name(0))
    }

    #[test]
    fn a_log_cut_at_any_byte_keeps_its_whole_records_and_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let records = some_records(4);
        let path = written(dir.path(), &records);
        let bytes = fs::read(&path).unwrap();
        let first = wal::frame(&end(7)).len();
        for cut in first..bytes.len() {
            fs::write(&path, &bytes[..cut]).unwrap();
            let mut log = FileWal::open(dir.path()).unwrap();
            let found = log.records_after(7).unwrap().unwrap();
            assert_eq!(found, records[..found.len()]);
            let whole: usize = first + found.iter().map(|r| wal::frame(r).len()).sum::<usize>();
            assert!(whole <= cut && (found.len() == 4 || whole + wal::frame(&records[found.len()]).len() > cut));
            assert_eq!(log.repaired().is_some(), whole < cut);
            log.write(&[1, 2, 3], true).unwrap();
            let found = FileWal::open(dir.path()).unwrap().records_after(7).unwrap().unwrap();
            assert_eq!(found.last().unwrap(), &[1, 2, 3]);
        }
    }

    #[test]
    fn a_changed_byte_at_the_end_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let records = some_records(3);
        let path = written(dir.path(), &records);
        let bytes = fs::read(&path).unwrap();
        let last = bytes.len() - wal::frame(&records[2]).len();
        for at in last..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            fs::write(&path, &changed).unwrap();
            let found = FileWal::open(dir.path()).unwrap().records_after(7).unwrap().unwrap();
            assert_eq!(found, records[..2]);
        }
    }

    #[test]
    fn records_are_found_across_files_and_old_files_go() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = FileWal::open(dir.path()).unwrap();
        let large = vec![9; 1 << 20];
        for height in 1..=130 {
            log.write(&large, false).unwrap();
            log.write(&end(height), false).unwrap();
        }
        log.write(&[1], true).unwrap();
        let mut log = FileWal::open(dir.path()).unwrap();
        assert_eq!(log.records_after(130).unwrap().unwrap(), [vec![1]]);
        assert_eq!(log.records_after(125).unwrap().unwrap().len(), 11);
        assert_eq!(log.records_after(131).unwrap(), None);
        let total: u64 = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).sum();
        assert!(total <= TOTAL_BYTES + FILE_BYTES);
    }

    #[test]
    fn damage_before_the_end_is_an_error_that_names_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = FileWal::open(dir.path()).unwrap();
        let large = vec![9; 1 << 20];
        for height in 1..=12 {
            log.write(&large, false).unwrap();
            log.write(&end(height), true).unwrap();
        }
        let path = dir.path().join(file_name(0));
        let mut bytes = fs::read(&path).unwrap();
        bytes[100] ^= 1;
        fs::write(&path, bytes).unwrap();
        let error = FileWal::open(dir.path()).unwrap().records_after(2).unwrap_err().to_string();
        assert!(error.contains(".wal is damaged at byte 0"), "{error}");
    }
}
