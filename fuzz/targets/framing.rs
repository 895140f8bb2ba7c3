//! A byte stream, cut into messages.

use siproxd::sip::framing::{Frame, Framer, FramingError};

/// What a stream holds, and how it ends.
type Frames = (Vec<Vec<u8>>, Result<(), FramingError>);

/// A stream holds the same messages whether it comes whole, byte by byte, or in pieces of the length that the first byte says.
pub fn framing(data: &[u8]) {
    let Some((size, stream)) = data.split_first() else { return };
    let whole = frames([stream]);
    let in_pieces = frames(stream.chunks(usize::from(*size).max(1)));
    assert_eq!(in_pieces, whole);
    // A framer sees all that is held at each byte: a long stream would take its square.
    if stream.len() < 2048 {
        assert_eq!(frames(stream.chunks(1)), whole);
    }
}

fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Frames {
    let (mut framer, mut held, mut messages) = (Framer::new(), Vec::new(), Vec::new());
    for piece in pieces {
        held.extend_from_slice(piece);
        loop {
            let length = match framer.next(&held) {
                Ok(Frame::Message(length)) => {
                    messages.push(held[..length].to_vec());
                    length
                }
                Ok(Frame::Ping(length)) => {
                    messages.push(b"ping".to_vec());
                    length
                }
                Ok(Frame::Blank(length)) => length,
                Ok(Frame::Partial) => break,
                Err(error) => return (messages, Err(error)),
            };
            assert!(length > 0 && length <= held.len());
            held.drain(..length);
        }
    }
    (messages, Ok(()))
}
