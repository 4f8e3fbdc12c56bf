//! The rules of the protocol, without the values: what a stream must look like, and what the limits leave room for.
//!
//! - [`number`] and [`line`](mod@line): the parts of a header
//! - [`header`]: what a header says
//! - [`payload`]: strings of announced length
//! - [`aggregate`]: the types that hold other values
//! - [`budget`]: what a frame has used in total
//! - [`partial`]: the frame that is being read, and what may stand where in it
//!
//! What must stay true: whatever decides if a stream is accepted, and which error it is refused with, is here and only
//! here. The decoder and the framer differ in what they make of values, never in what they accept.

pub(crate) mod aggregate;
pub(crate) mod budget;
pub(crate) mod header;
pub(crate) mod line;
pub(crate) mod number;
pub(crate) mod partial;
pub(crate) mod payload;
