// The CPU backend: Ops in vector code, the same bits as ReferenceOps (docs/numerics.md) for every instruction
// set and any number of threads. Work is divided over outputs only, never along a sum.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "cpu/dispatch.h"
#include "cpu/kernel_table.h"
#include "cpu/scratch.h"
#include "ops/ops.h"

namespace hadal {

struct CpuOptions {
  int threads = 0;  // 0: all CPUs this process may use
  std::string isa;  // empty: the best one
  // From so many tokens on, bf16 activations are given to the kernels as floats, where that makes a
  // difference; results are the same. 0: from two on if this machine multiplies floats faster, else never.
  int64_t wide_tokens = 0;
};

// Scratch memory grows to what the largest call needs and stays; no call allocates after that. One caller at
// a time, from any thread.
class CpuOps final : public Ops {
 public:
  // Throws Error{kInvalidInput} for an instruction set this machine does not have and a bad number of
  // threads.
  explicit CpuOps(const CpuOptions& options = {});

  std::string_view isa() const { return kernels_.name; }
  int threads() const { return pool_.size(); }
  ThreadPool& pool() { return pool_; }
  // Memory kept between calls, the arena's apart.
  int64_t scratch_bytes() const;

  Arena& arena() override { return arena_; }
  Storage allocate(int64_t bytes) override { return Storage(bytes); }

  void embed(View out, const Weight& table, View ids) override;
  void matmul(View out, View x, const Weight& w) override;
  void grouped_matmul(View out, View x, const Weight& w) override;
  void rms_norm(View out, View x, View gain, float eps) override;
  void head_norm(View x, float eps) override;
  void rope_angles(View out, View pos, View freqs) override;
  void rope(View x, View angles, Direction direction) override;
  void fake_quant(View out, View x, QuantSim sim) override;
  void hadamard(View x) override;
  void scale(View x, float factor) override;
  void add_broadcast(View out, View a, View b) override;
  void gather_rows(View out, View x, View rows) override;
  void hc_mix(const HcMixArgs& args) override;
  void hc_pre(View out, View streams, View pre) override;
  void hc_post(View out, View o, View residual, View post, View comb) override;
  void compress(const CompressArgs& args) override;
  void pack_rows(std::byte* out, View rows, const RowLayout& layout) override;
  void append_rows(const RowTable& table, int64_t first, View rows, const RowLayout& layout) override;
  void ring_write(const RowRing& ring, int64_t pos, const std::byte* rows, int64_t n) override;
  void index_select(const IndexArgs& args) override;
  void attention(const AttentionArgs& args) override;
  void route(const RouteArgs& args) override;
  void expert_ffn(const ExpertArgs& args) override;

 private:
  using Body = ThreadPool::Body;

  // Memory of one worker; what a slot holds is up to the op.
  struct Worker {
    Scratch slot[5];
  };
  // Consecutive queries of attention that see the same compressed entries.
  struct QueryGroup {
    int segment;
    int64_t first, count;  // in the segment
  };
  // Consecutive queries of the indexer.
  struct IndexGroup {
    int segment;
    int64_t first, count;  // in the segment
    int64_t entries;       // that the last of them sees
    int64_t parts;         // of the entries, each a task
    int64_t slot;          // of the first query's first part among the results of parts
  };
  struct IndexTask {
    int64_t group, part;
  };
  // The tokens of one expert.
  struct ExpertGroup {
    const ExpertWeights* expert;
    int64_t begin, end;     // entries
    int64_t tiles;          // of its hidden rows, those of earlier groups included
    int64_t hidden_row;     // bytes
    int64_t hidden_offset;  // of its first hidden row in shared_
    bool raw_hidden;        // hidden rows need no preparing for w2
  };
  struct ExpertEntry {
    int64_t token;
    const float* weight;  // null for the shared expert
  };

  // Runs the body over [0, n); `cost`: about how many multiply-adds one item takes. Small loops stay on the
  // caller.
  void each(int64_t n, int64_t cost, Body body);
  // How activations of an op on so many tokens are given to the kernels.
  KernelInput kernel_input(bool bf16, int64_t tokens) const;
  // `scratch`: for what the kernel needs meanwhile.
  void run_linear(LinearTile tile, Scratch& scratch);
  void linear(View out, View x, const Weight& w, int64_t groups);
  void group_experts(const ExpertArgs& args);
  void prepare_expert_inputs(const ExpertArgs& args);
  void expert_hidden_tile(const ExpertArgs& args, const ExpertGroup& group, int64_t tile, Worker& worker);
  void expert_output_tile(const ExpertArgs& args, int64_t first, int64_t n, Worker& worker);
  void pack_row(std::byte* out, ConstRow row, const RowLayout& layout, Worker& worker);
  void index_group(const IndexArgs& args, const IndexGroup& group, int64_t from, int64_t to, int64_t part,
                   Worker& worker);
  void hc_mix_tokens(const HcMixArgs& args, int64_t begin, int64_t end, Worker& worker);
  void hc_finish(const HcMixArgs& args, int64_t token, const float* dots, float rho);

  const KernelTable& kernels_;
  const int64_t wide_tokens_;
  ThreadPool pool_;
  std::vector<Worker> workers_;
  Arena arena_;
  Scratch prepared_, pointers_, shared_;
  std::vector<QueryGroup> query_groups_;
  std::vector<IndexGroup> index_groups_;
  std::vector<IndexTask> index_tasks_;
  std::vector<int64_t> part_counts_;
  std::vector<ExpertGroup> groups_;
  std::vector<ExpertEntry> entries_;
  std::vector<int64_t> counts_;
  Scratch expert_inputs_[2][kKernelFormats];  // [quantised][in the order of the format]
  bool expert_inputs_used_[2][kKernelFormats] = {};
};

}  // namespace hadal
