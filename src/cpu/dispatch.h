// Which kernels this machine can run.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cpu/kernel_table.h"

namespace hadal {

// Names of the instruction sets that can run here, best first; "generic" is always among them.
std::vector<std::string> available_isas();

// The table of an instruction set, the best one for an empty name. Throws Error{kInvalidInput} that lists the
// available ones.
const KernelTable& kernel_table(std::string_view isa);

}  // namespace hadal
