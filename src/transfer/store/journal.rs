//! What is known of a part: which file it will be, and what each complete 256 KiB of it hash to.
//!
//! ```text
//! header   "p2pxfer journal\n"  version u8  salt[8]  boot[16]  size u64  seconds i64  nanos u32
//!          name length u16  name  check[16]: BLAKE3 of all before it, cut
//! record   kind u8  number u64  value[64]  check[8]: BLAKE3 of the salt and all before it, cut
//!          'G' the group of that number, written to the part before the record was
//!          'S' so many groups are on the disk
//!          'B' so many groups were found to hold after a start of the machine, whose id follows
//! ```
//!
//! A process that is killed leaves its writes to the kernel, so within one start of the machine each
//! group holds. After another one those hold that were on the disk; the rest is read and hashed again.
//! Whatever is torn, of another salt, out of order or damaged ends the journal there.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use crate::crypto::blake3::{self, GROUP, GROUP_VALUE, Group, Hasher};
use crate::sys::fs::Private;
use crate::sys::random;
use crate::transfer::entry::Time;
use crate::wire::Reader;

const MAGIC: &[u8; 16] = b"p2pxfer journal\n";
const VERSION: u8 = 1;
/// All of the header but the name, in bytes.
const HEADER: usize = 16 + 1 + 8 + 16 + 8 + 8 + 4 + 2 + CHECK_HEADER;
const CHECK_HEADER: usize = 16;
/// A record in front of its check, in bytes.
const RECORD_BODY: usize = 1 + 8 + GROUP_VALUE;
const CHECK: usize = 8;
/// A record, in bytes.
pub(super) const RECORD: usize = RECORD_BODY + CHECK;

/// Which file a part will be. A journal of another one says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// Its name.
    pub(super) name: Vec<u8>,
    /// Its size in bytes.
    pub(super) size: u64,
    /// When its sender last changed it.
    pub(super) mtime: Time,
}

/// An open journal; records go to its end. A clone is the same journal, for another thread.
#[derive(Clone, Debug)]
pub(super) struct Journal {
    file: Arc<Private>,
    salt: [u8; 8],
    /// Where its records begin, in bytes.
    start: u64,
}

/// What a part was found to hold.
pub(super) struct Proved {
    /// How many groups.
    pub(super) groups: u64,
    /// The hash of them.
    pub(super) hasher: Hasher,
}

#[derive(Clone, Copy)]
enum Record {
    Group(Group),
    Synced(u64),
    Booted([u8; 16]),
}

/// What a journal says when it is read through once.
struct Said {
    groups: u64,
    synced: u64,
    boot: [u8; 16],
}

impl Journal {
    /// Begins the journal of an empty part. `boot`: the id of this start of the machine.
    pub(super) fn begin(
        file: Private,
        origin: &Origin,
        boot: Option<[u8; 16]>,
    ) -> io::Result<Self> {
        let mut salt = [0; 8];
        random::fill(&mut salt)?;
        let header = header(origin, salt, boot.unwrap_or_default());
        file.set_len(0)?;
        let mut to: &File = &file;
        to.write_all(&header)?;
        Ok(Self {
            file: Arc::new(file),
            salt,
            start: header.len() as u64,
        })
    }

    /// Opens what was begun before; `None` when it is of another file, or is no journal.
    pub(super) fn open(file: Private, origin: &Origin) -> io::Result<Option<Self>> {
        let length = HEADER + origin.name.len();
        let mut found = Vec::with_capacity(length);
        let mut from: &File = &file;
        from.seek(SeekFrom::Start(0))?;
        from.take(length as u64).read_to_end(&mut found)?;
        Ok(is_header(&found, origin).map(|salt| Self {
            file: Arc::new(file),
            salt,
            start: length as u64,
        }))
    }

    /// Finds what holds of the part, and drops the records of what does not. It may have to be read, as long
    /// as `goes_on` says so.
    ///
    /// # Errors
    /// `Interrupted` when `goes_on` does not; nothing is dropped then.
    pub(super) fn prove(
        &self,
        part: &File,
        boot: Option<[u8; 16]>,
        goes_on: &dyn Fn() -> bool,
    ) -> io::Result<Proved> {
        let said = self.said()?;
        let there = part.metadata()?.len() / GROUP as u64;
        let groups = said.groups.min(there);
        let same_boot = boot == Some(said.boot);
        let trusted = if same_boot {
            groups
        } else {
            said.synced.min(groups)
        };
        let groups = trusted + self.recheck(part, trusted, groups, goes_on)?;
        self.cut_behind(groups)?;
        if let Some(boot) = boot.filter(|_| !same_boot) {
            let mut value = [0; GROUP_VALUE];
            value[..16].copy_from_slice(&boot);
            self.append(b'B', groups, &value)?;
        }
        let hasher = Hasher::from_groups(self.groups()?.take(usize_of(groups)));
        Ok(Proved { groups, hasher })
    }

    /// Adds a group that was just written to the part.
    pub(super) fn group(&self, index: u64, group: Group) -> io::Result<()> {
        self.append(b'G', index, &group.to_bytes())
    }

    /// Says that the first `groups` groups are on the disk.
    pub(super) fn synced(&self, groups: u64) -> io::Result<()> {
        self.append(b'S', groups, &[0; GROUP_VALUE])
    }

    /// Says nothing any more, whatever is added: what it proved does not hold.
    pub(super) fn discard(&self) -> io::Result<()> {
        self.file.set_len(0)
    }

    fn file(&self) -> &File {
        &self.file
    }

    fn append(&self, kind: u8, number: u64, value: &[u8; GROUP_VALUE]) -> io::Result<()> {
        // In one call: the file was opened for appending, so two threads do not mix.
        self.file()
            .write_all(&record(self.salt, kind, number, value))
    }

    /// How many of the groups `from..to` the part holds, the first ones.
    fn recheck(
        &self,
        mut part: &File,
        from: u64,
        to: u64,
        goes_on: &dyn Fn() -> bool,
    ) -> io::Result<u64> {
        if from == to {
            return Ok(0);
        }
        let mut bytes = vec![0; GROUP];
        part.seek(SeekFrom::Start(from * GROUP as u64))?;
        for (index, known) in (from..to).zip(self.groups()?.skip(usize_of(from))) {
            if !goes_on() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            part.read_exact(&mut bytes)?;
            if blake3::group(index, &bytes) != Some(known) {
                return Ok(index - from);
            }
        }
        Ok(to - from)
    }

    /// Drops what stands behind the last whole record, and the record of group `groups` with all
    /// behind it.
    fn cut_behind(&self, groups: u64) -> io::Result<()> {
        let mut records = self.records()?;
        let mut seen = 0;
        let mut keep = self.start;
        while let Some(record) = records.next() {
            if matches!(record, Record::Group(_)) {
                if seen == groups {
                    break;
                }
                seen += 1;
            }
            keep = records.at;
        }
        if keep < self.file.metadata()?.len() {
            self.file.set_len(keep)?;
        }
        Ok(())
    }

    fn said(&self) -> io::Result<Said> {
        let mut boot = [0; 16];
        let at = 16 + 1 + 8;
        self.file().seek(SeekFrom::Start(at))?;
        self.file().read_exact(&mut boot)?;
        let mut said = Said {
            groups: 0,
            synced: 0,
            boot,
        };
        for record in self.records()? {
            match record {
                Record::Group(_) => said.groups += 1,
                Record::Synced(groups) => said.synced = said.synced.max(groups),
                Record::Booted(boot) => said.boot = boot,
            }
        }
        Ok(said)
    }

    fn groups(&self) -> io::Result<impl Iterator<Item = Group>> {
        Ok(self.records()?.filter_map(|record| match record {
            Record::Group(group) => Some(group),
            _ => None,
        }))
    }

    fn records(&self) -> io::Result<Records<'_>> {
        self.file().seek(SeekFrom::Start(self.start))?;
        Ok(Records {
            reader: BufReader::with_capacity(64 << 10, self.file()),
            salt: self.salt,
            at: self.start,
            groups: 0,
        })
    }
}

/// The whole records of a journal, up to the first that is none.
struct Records<'a> {
    reader: BufReader<&'a File>,
    salt: [u8; 8],
    /// Where the last one ended, in bytes.
    at: u64,
    groups: u64,
}

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let mut found = [0; RECORD];
        // What cannot be read is not proved.
        self.reader.read_exact(&mut found).ok()?;
        let mut reader = Reader::new(&found);
        let kind = *reader.take(1)?.first()?;
        let number = u64::from_le_bytes(reader.take(8)?.try_into().ok()?);
        let value: [u8; GROUP_VALUE] = reader.take(GROUP_VALUE)?.try_into().ok()?;
        if found != record(self.salt, kind, number, &value) {
            return None;
        }
        let record = match kind {
            b'G' if number == self.groups => {
                self.groups += 1;
                Record::Group(Group::from_bytes(value))
            }
            b'S' if number <= self.groups => Record::Synced(number),
            b'B' if number <= self.groups => Record::Booted(value[..16].try_into().ok()?),
            _ => return None,
        };
        self.at += RECORD as u64;
        Some(record)
    }
}

fn header(origin: &Origin, salt: [u8; 8], boot: [u8; 16]) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER + origin.name.len());
    header.extend_from_slice(MAGIC);
    header.push(VERSION);
    header.extend_from_slice(&salt);
    header.extend_from_slice(&boot);
    header.extend_from_slice(&origin.size.to_le_bytes());
    header.extend_from_slice(&origin.mtime.seconds.to_le_bytes());
    header.extend_from_slice(&origin.mtime.nanos.to_le_bytes());
    // A name has at most 255 bytes.
    header.extend_from_slice(&(origin.name.len() as u16).to_le_bytes());
    header.extend_from_slice(&origin.name);
    let check = blake3::hash(&header);
    header.extend_from_slice(&check[..CHECK_HEADER]);
    header
}

/// The salt, when these bytes are the header of a journal of `origin`.
fn is_header(found: &[u8], origin: &Origin) -> Option<[u8; 8]> {
    let mut reader = Reader::new(found);
    reader.take(MAGIC.len() + 1)?;
    let salt = reader.take(8)?.try_into().ok()?;
    let boot = reader.take(16)?.try_into().ok()?;
    (found == header(origin, salt, boot)).then_some(salt)
}

fn record(salt: [u8; 8], kind: u8, number: u64, value: &[u8; GROUP_VALUE]) -> [u8; RECORD] {
    let mut salted = [0; 8 + RECORD_BODY];
    salted[..8].copy_from_slice(&salt);
    salted[8] = kind;
    salted[9..17].copy_from_slice(&number.to_le_bytes());
    salted[17..].copy_from_slice(value);
    let check = blake3::hash(&salted);
    let mut record = [0; RECORD];
    record[..RECORD_BODY].copy_from_slice(&salted[8..]);
    record[RECORD_BODY..].copy_from_slice(&check[..CHECK]);
    record
}

/// A count of records of a file: more than fit the memory's addresses are not taken.
fn usize_of(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
