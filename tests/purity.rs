//! What the layers under the edge may not use, and where the engine's memory lies.

use std::fs;
use std::path::{Path, PathBuf};

/// The layers that know no operating system: wire, tables, engine.
const PURE: [&str; 11] =
    ["sip", "sdp", "rtp", "dns", "ere", "stun.rs", "table", "engine", "span.rs", "time.rs", "limits.rs"];

/// Words that stand for an operating system, the heap, or unchecked memory. `std` would not name the same thing by
/// `core::`; clippy sees to it that nothing is taken from `std` that `core` has.
const FORBIDDEN: [&str; 12] =
    ["std", "alloc", "Box", "Rc", "Arc", "Vec", "String", "vec!", "format!", "to_string", "to_owned", "unsafe"];

/// The most that may lie in `.data`, in bytes: one non-zero byte in a table would move all of it there, and into the file.
const MAX_DATA: u64 = 16 * 1024;

fn sources(at: &Path, found: &mut Vec<PathBuf>) {
    if at.is_file() {
        return found.push(at.to_owned());
    }
    for entry in fs::read_dir(at).expect("a folder of src") {
        sources(&entry.expect("an entry").path(), found);
    }
}

/// The lines of a source file that are part of the program: no comments, and nothing from `#[cfg(test)]` on, which stands
/// last in every file.
fn program_lines(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let code = source.lines().take_while(|line| line.trim() != "#[cfg(test)]");
    code.enumerate().map(|(number, line)| (number + 1, line.split("//").next().unwrap_or("")))
}

/// Whether `line` uses `word` as a whole word that `heapless` does not own.
fn uses(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let (before, behind) = (&line[..at], &line[at + word.len()..]);
        let whole = !before.ends_with(is_part) && (word.ends_with('!') || !behind.starts_with(is_part));
        whole && !before.ends_with("heapless::")
    })
}

#[test]
fn wire_tables_and_engine_use_no_system_and_no_heap() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    for part in PURE {
        sources(&root.join(part), &mut files);
    }
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.file_name() != Some("tests.rs".as_ref())) {
        let source = fs::read_to_string(file).unwrap();
        for (number, line) in program_lines(&source) {
            for word in FORBIDDEN.iter().filter(|word| uses(line, word)) {
                found.push(format!("{}:{number}: {word}: {}", file.display(), line.trim()));
            }
        }
    }
    assert!(files.len() > 40, "only {} files looked at", files.len());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn tests_stand_last_in_every_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    for part in PURE {
        sources(&root.join(part), &mut files);
    }
    for file in files {
        let source = fs::read_to_string(&file).unwrap();
        let marks: Vec<_> = source.match_indices("#[cfg(test)]").map(|(at, _)| at).collect();
        assert!(marks.len() <= 1, "{}: more than one #[cfg(test)]", file.display());
        if let Some(at) = marks.first() {
            let rest = &source[*at..];
            let is_outside = rest.trim_end().ends_with("mod tests;");
            // What follows is one module, closed by the last line.
            let is_one = rest.lines().filter(|line| *line == "}").count() == 1 && rest.ends_with("\n}\n");
            assert!(is_outside || is_one, "{}: code behind the tests", file.display());
        }
    }
}

#[test]
fn the_rule_sees_what_it_forbids() {
    for line in ["use std::io;", "let x: Vec<u8>", "Box::new(1)", "alloc::vec", "x.to_string()", "unsafe { }"] {
        assert!(FORBIDDEN.iter().any(|word| uses(line, word)), "{line}");
    }
    for line in ["heapless::Vec<u8, 4>", "allocation", "reallocate(std_dev)", "heapless::String<4>", "Boxes"] {
        assert!(!FORBIDDEN.iter().any(|word| uses(line, word)), "{line}");
    }
}

/// The sizes of sections of an ELF file by name, in bytes (System V ABI, chapter 4).
fn section_size(elf: &[u8], name: &str) -> u64 {
    let is_64 = elf[4] == 2;
    let is_big = elf[5] == 2;
    let number = |at: usize, length: usize| {
        let bytes = elf[at..at + length].iter();
        let join = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        if is_big { bytes.fold(0, join) } else { bytes.rev().fold(0, join) }
    };
    // Offset and length of e_shoff, of e_shentsize (e_shnum and e_shstrndx follow it), of sh_offset and sh_size.
    let (table, entry, offset, size, word) =
        if is_64 { (0x28, 0x3a, 0x18, 0x20, 8) } else { (0x20, 0x2e, 0x10, 0x14, 4) };
    let start = number(table, word) as usize;
    let [length, count, names] = [0, 2, 4].map(|at| number(entry + at, 2) as usize);
    let names_at = number(start + names * length + offset, word) as usize;
    (0..count)
        .map(|index| start + index * length)
        .filter(|at| {
            let section = &elf[names_at + number(*at, 4) as usize..];
            section.strip_prefix(name.as_bytes()).is_some_and(|rest| rest[0] == 0)
        })
        .map(|at| number(at + size, word))
        .sum()
}

#[test]
fn the_tables_lie_in_bss() {
    let elf = fs::read(env!("CARGO_BIN_EXE_siproxd")).unwrap();
    assert_eq!(&elf[..4], b"\x7fELF");
    let (data, bss) = (section_size(&elf, ".data"), section_size(&elf, ".bss"));
    let engine = size_of::<siproxd::engine::Engine>() as u64;
    println!(".data {data} bytes, .bss {bss} bytes, the engine {engine} bytes");
    assert!(section_size(&elf, ".text") > 0, "the file was not understood");
    assert!(data < MAX_DATA, ".data has {data} bytes");
    assert!(bss >= engine, ".bss has {bss} bytes, the engine alone {engine}");
}
