use super::*;
use proptest::prelude::*;

fn edited(edits: &Edits, original: &[u8]) -> Vec<u8> {
    let parts = edits.parts(original);
    assert!(parts.iter().all(|part| !part.is_empty()));
    parts.concat()
}

#[test]
fn order_of_place_and_of_time() {
    let mut edits = Edits::new();
    edits.replace(Span::new(4, 6), b"EF").unwrap();
    edits.replace(Span::at(4), b"1").unwrap();
    edits.replace_fmt(Span::at(4), format_args!("{}", 2)).unwrap();
    edits.delete(Span::new(0, 2)).unwrap();
    edits.replace(Span::at(6), b"3").unwrap();
    edits.replace(Span::at(8), b"4").unwrap();
    assert_eq!(edited(&edits, b"abcdefgh"), b"cd12EF3gh4");
    assert_eq!(edits.len(b"abcdefgh"), 10);
    assert_eq!(edits.parts(b"abcdefgh").len(), 7);
    edits.clear();
    assert!(edits.is_empty());
    assert_eq!(edited(&edits, b"abc"), b"abc");
}

#[test]
fn an_overlap_changes_nothing() {
    let mut edits = Edits::new();
    edits.replace(Span::new(2, 4), b"X").unwrap();
    edits.replace(Span::at(6), b"Y").unwrap();
    for (start, end) in [(2, 4), (1, 3), (3, 5), (0, 8), (3, 3), (5, 7)] {
        assert_eq!(edits.replace(Span::new(start, end), b"Z"), Err(EditError::Overlap));
        assert_eq!(edits.replace_fmt(Span::new(start, end), format_args!("Z")), Err(EditError::Overlap));
        assert_eq!(edits.delete(Span::new(start, end)).is_err(), start != end);
    }
    assert_eq!(edited(&edits, b"abcdefgh"), b"abXefYgh");
    assert_eq!(edits.arena.len(), 2);
}

#[test]
fn deletions_unite() {
    let mut edits = Edits::new();
    edits.delete(Span::new(1, 3)).unwrap();
    edits.delete(Span::new(5, 7)).unwrap();
    edits.delete(Span::new(2, 6)).unwrap();
    edits.delete(Span::new(4, 5)).unwrap();
    assert_eq!(edited(&edits, b"abcdefgh"), b"ah");
    assert_eq!(edits.splices.len(), 1);
}

#[test]
fn full_changes_nothing() {
    let mut edits = Edits::new();
    assert_eq!(edits.replace(Span::at(0), &[b'x'; EDIT_ARENA + 1]), Err(EditError::Full));
    assert_eq!(edits.replace_fmt(Span::at(0), format_args!("{:1$}", 0, EDIT_ARENA + 1)), Err(EditError::Full));
    assert!(edits.arena.is_empty());
    let original = [b'.'; 2 * MAX_EDITS + 2];
    for i in 0..MAX_EDITS as u16 {
        edits.replace(Span::new(2 * i + 1, 2 * i + 2), b"x").unwrap();
    }
    assert_eq!(edits.replace(Span::at(0), b"x"), Err(EditError::Full));
    assert_eq!(edits.arena.len(), MAX_EDITS);
    assert_eq!(edits.parts(&original).len(), MAX_PARTS);
    assert_eq!(edits.len(&original), original.len());
}

#[test]
fn what_is_edited_can_be_asked() {
    let mut edits = Edits::new();
    edits.replace(Span::new(2, 4), b"xyz").unwrap();
    edits.replace(Span::at(4), b"i").unwrap();
    edits.replace(Span::at(6), b"jj").unwrap();
    assert!(edits.touches(Span::new(3, 8)) && edits.touches(Span::new(0, 3)));
    assert!(!edits.touches(Span::new(0, 2)) && !edits.touches(Span::new(4, 8)));
    assert_eq!([1, 2, 3, 4, 6].map(|at| edits.covers(at)), [None, Some(4), Some(4), None, None]);
    assert_eq!(edits.edited_len(Span::new(0, 8)), 12);
    assert_eq!(edits.edited_len(Span::new(4, 6)), 5);
    assert_eq!(edits.edited_len(Span::new(3, 5)), 3);
    assert_eq!(edits.edited_len(Span::at(6)), 2);
}

#[test]
fn spans_beyond_the_original_do_no_harm() {
    let mut edits = Edits::new();
    edits.replace(Span::new(2, 90), b"x").unwrap();
    edits.replace(Span::new(95, 99), b"y").unwrap();
    edits.replace(Span::at(u16::MAX), b"z").unwrap();
    assert_eq!(edited(&edits, b"abc"), b"abxyz");
    assert_eq!(edited(&edits, b""), b"xyz");
}

/// Each byte of the original with what stands before it, and how it was removed.
#[derive(Default, Clone)]
struct Cell {
    inserted: Vec<u8>,
    replaced_by: Option<Vec<u8>>,
    gone: Option<usize>,
}

/// Applies `steps` to a copy; an edit is refused when a byte it removes is gone by another, or it is inside of one.
#[test]
fn cut_removes_what_was_put_in_and_makes_room() {
    let original = b"0123456789";
    let mut edits = Edits::new();
    edits.replace(Span::new(1, 2), b"one").unwrap();
    while edits.replace(Span::at(4), &[b'x'; 200]).is_ok() {}
    edits.replace(Span::new(5, 6), b"y").unwrap();
    assert!(!edits.has_room());
    edits.cut(Span::new(3, 8)).unwrap();
    assert!(edits.has_room());
    edits.replace(Span::at(9), b"end").unwrap();
    assert_eq!(edited(&edits, original), b"0one28end9");
    assert_eq!(edits.cut(Span::at(1)), Ok(()));
    edits.replace(Span::new(4, 5), b"z").unwrap_err();
    let mut crossing = Edits::new();
    crossing.replace(Span::new(2, 5), b"z").unwrap();
    assert_eq!(crossing.cut(Span::new(4, 8)), Err(EditError::Overlap));
}

struct Model {
    cells: Vec<Cell>,
    texts: Vec<bool>,
}

impl Model {
    fn step(&mut self, number: usize, del: Span, text: &[u8]) -> bool {
        let (start, end) = (usize::from(del.start), usize::from(del.end));
        if start == end {
            let inside =
                start > 0 && self.cells[start].gone.is_some() && self.cells[start].gone == self.cells[start - 1].gone;
            if text.is_empty() {
                return true;
            }
            if !inside {
                self.cells[start].inserted.extend(text);
            }
            return !inside;
        }
        let crosses_insertion = self.cells[start + 1..end].iter().any(|cell| !cell.inserted.is_empty());
        let mut gone: Vec<usize> = self.cells[start..end].iter().filter_map(|cell| cell.gone).collect();
        gone.dedup();
        if crosses_insertion || gone.iter().any(|&by| !text.is_empty() || self.texts[by]) {
            return false;
        }
        self.texts[number] = !text.is_empty();
        for cell in &mut self.cells[start..end] {
            cell.gone = Some(number);
        }
        for cell in self.cells.iter_mut().filter(|cell| cell.gone.is_some_and(|by| gone.contains(&by))) {
            cell.gone = Some(number);
        }
        if !text.is_empty() {
            self.cells[start].replaced_by = Some(text.to_vec());
        }
        true
    }

    fn result(&self, original: &[u8]) -> Vec<u8> {
        let mut result = Vec::new();
        for (index, cell) in self.cells.iter().enumerate() {
            result.extend(&cell.inserted);
            result.extend(cell.replaced_by.iter().flatten());
            result.extend(original.get(index).filter(|_| cell.gone.is_none()));
        }
        result
    }
}

proptest! {
    #[test]
    fn agrees_with_a_naive_model(
        steps in proptest::collection::vec(
            (0u16..=30, 0u16..=6, proptest::collection::vec(b'A'..=b'Z', 0..4)), 0..24
        )
    ) {
        let original: Vec<u8> = (b'a'..=b'z').chain(b'0'..=b'3').collect();
        let mut edits = Edits::new();
        let mut model = Model { cells: vec![Cell::default(); original.len() + 1], texts: vec![false; steps.len()] };
        for (number, (start, len, text)) in steps.iter().enumerate() {
            let del = Span::new(*start, (*start + *len).min(30));
            let taken = if text.is_empty() { edits.delete(del) } else { edits.replace(del, text) };
            prop_assert_eq!(taken.is_ok(), model.step(number, del, text), "step {}", number);
            let result = model.result(&original);
            prop_assert_eq!(edited(&edits, &original), result.clone());
            prop_assert_eq!(edits.edited_len(Span::new(0, 30)), result.len());
            for (at, cell) in model.cells.iter().enumerate() {
                prop_assert_eq!(edits.covers(at as u16).is_some(), cell.gone.is_some());
            }
        }
    }
}
