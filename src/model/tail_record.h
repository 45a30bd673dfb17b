// The tail record: what besides its blocks a sequence needs to go on from one length (spec/model.md section
// 5.8), packed in a fixed order. At a multiple of 128 it is a boundary; the same bytes are what cache and
// session files hold (docs/formats/kvfile.md).
//
//   for each layer  window rows of the last min(length, window) positions, oldest first; for the MTP block
//                   those before its own length, the rest zeros
//                   main compressor: kv rows, then score rows, of the positions first_needed(length) ...
//                   length index compressor: the same
//   with MTP        the stream before the head of the last position
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "model/state.h"

namespace hadal {

int64_t tail_bytes(const StateLayout& layout, int64_t length);

// How many positions the MTP block of `state` has seen that a state of this length can use.
int64_t tail_mtp_length(const SequenceState& state, int64_t length);

// length is one of the state's free lengths. out: tail_bytes() bytes.
void pack_tail(const SequenceState& state, int64_t length, std::span<std::byte> out);
// Writes the rows of a record at `length` to the places of their positions.
void unpack_tail(std::span<const std::byte> record, int64_t length, int64_t mtp_length,
                 const SequenceState& state);

}  // namespace hadal
