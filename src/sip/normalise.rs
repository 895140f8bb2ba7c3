//! The pre-pass that makes legal but unusual header lines readable for the splitter, and takes itself back.
