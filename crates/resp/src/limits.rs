//! The lengths that Redis takes in requests.

/// The longest inline command, and the longest line that announces a length, in bytes.
pub const MAX_LINE: usize = 64 * 1024;
/// The longest bulk string, in bytes; also the longest value that a command may build.
pub const MAX_BULK: usize = 512 * 1024 * 1024;
/// The most arguments of one command.
pub const MAX_ARGS: usize = 1024 * 1024;
/// The longest bulk string of a client that has not authenticated, in bytes.
pub const MAX_BULK_UNAUTHENTICATED: usize = 16_384;
/// The most arguments of a client that has not authenticated.
pub const MAX_ARGS_UNAUTHENTICATED: usize = 10;
