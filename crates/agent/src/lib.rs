//! What runs on a machine: the first process of the boot kit.

pub mod seam;
