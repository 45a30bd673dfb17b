#include "kv/cache_admin.h"

#include "base/error.h"
#include "kv/disk_folder.h"
#include "kv/kv_reader.h"

namespace hadal {
namespace fs = std::filesystem;
namespace {

void require_folder(const fs::path& folder) {
  std::error_code error;
  const fs::file_status status = fs::status(folder, error);
  if (status.type() == fs::file_type::not_found)
    fail(ErrorCode::kNotFound, "{}: there is no such folder", folder.string());
  if (!fs::is_directory(status)) fail(ErrorCode::kIo, "{}: a folder is expected", folder.string());
}

OpenedFolder open_existing(const fs::path& folder) {
  require_folder(folder);
  FailureLog log;
  OpenedFolder opened = open_cache_folder(folder, {.remove_damaged = false, .busy_ms = 10'000}, log);
  if (opened.index == nullptr) fail(ErrorCode::kIo, "{}: the folder cannot be read", folder.string());
  return opened;
}

std::string problem_of(const fs::path& folder, const std::string& name) {
  const auto file = KvReader::open(folder / name);
  if (!file) return file.error().what;
  if (payload_name((*file)->header(), (*file)->header_checksum()) != name)
    return "name: not that of its content";
  const auto whole = verify_kv_file(**file);
  return whole ? std::string() : whole.error().what;
}

}  // namespace

std::vector<IndexedFile> list_cache(const fs::path& folder) {
  return open_existing(folder).index->files();
}

std::vector<VerifiedFile> verify_cache(const fs::path& folder, bool remove_bad) {
  require_folder(folder);
  bool readable = false;
  const std::vector<PayloadFile> payloads = list_payloads(folder, readable);
  if (!readable) fail(ErrorCode::kIo, "{}: the folder cannot be read", folder.string());
  std::vector<VerifiedFile> out;
  std::vector<std::string> bad;
  for (const PayloadFile& payload : payloads) {
    VerifiedFile file{payload.name, payload.bytes, problem_of(folder, payload.name)};
    std::error_code ignored;
    if (!file.problem.empty() && !fs::exists(folder / file.name, ignored))
      continue;  // evicted while this went on
    if (!file.problem.empty()) bad.push_back(file.name);
    out.push_back(std::move(file));
  }
  if (remove_bad && !bad.empty()) {
    remove_payloads(folder, bad);
    open_existing(folder);  // the index forgets them
  }
  return out;
}

PruneResult prune_cache(const fs::path& folder, int64_t max_bytes) {
  const OpenedFolder opened = open_existing(folder);
  if (!opened.writable) fail(ErrorCode::kIo, "{}: the folder cannot be written", folder.string());
  DiskIndex& index = *opened.index;
  PruneResult out;
  std::vector<std::string> evicted;
  const int64_t before = index.total_bytes();
  {
    SqliteTransaction transaction(index.database());
    index.make_room(0, max_bytes, {}, evicted);
    transaction.commit();
  }
  remove_payloads(folder, evicted);
  out.files = index.file_count();
  out.bytes = index.total_bytes();
  out.removed_files = static_cast<int64_t>(evicted.size());
  out.removed_bytes = before - out.bytes;
  return out;
}

}  // namespace hadal
