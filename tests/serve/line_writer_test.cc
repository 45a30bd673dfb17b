#include "serve/line_writer.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <thread>
#include <vector>

#include "support/files.h"

namespace hadal::serve {
namespace {

using hadal::test::read_bytes;
using hadal::test::TempFolder;
using ::testing::HasSubstr;
using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;

LineWriterOptions to(const std::filesystem::path& file) {
  LineWriterOptions out;
  out.file = file;
  return out;
}

TEST(LineWriter, Appends) {
  const TempFolder folder;
  const auto file = folder.write("log", "before\n");
  {
    LineWriter writer(to(file));
    writer.flush();
    EXPECT_TRUE(writer.write("one\n"));
    writer.flush();
    EXPECT_EQ(read_bytes(file), "before\none\n");
    writer.write("two\n");
  }
  EXPECT_EQ(read_bytes(file), "before\none\ntwo\n");
  LineWriterOptions replacing = to(file);
  replacing.replace = true;
  {
    LineWriter writer(replacing);
  }
  EXPECT_EQ(read_bytes(file), "");
}

TEST(LineWriter, AFileThatCannotBeMade) {
  const TempFolder folder;
  EXPECT_THAT(hadal::test::error_of(ErrorCode::kIo, [&] { LineWriter writer(to(folder / "no" / "log")); }),
              HasSubstr("no/log"));
}

TEST(LineWriter, StandardError) {
  CaptureStderr();
  {
    LineWriter writer({});
    writer.write("hello\n");
    writer.reopen();  // means nothing here
    writer.flush();
  }
  EXPECT_EQ(GetCapturedStderr(), "hello\n");
}

TEST(LineWriter, LinesOfManyThreadsStayWhole) {
  const TempFolder folder;
  constexpr int kThreads = 4, kEach = 2000;
  {
    LineWriter writer(to(folder / "log"));
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < kEach; ++i) {
          writer.write(std::string(static_cast<size_t>(i % 50 + 1), static_cast<char>('a' + t)) + " " +
                       std::to_string(i) + "\n");
          if (i % 500 == 0) writer.reopen();
        }
      });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(writer.dropped(), 0);
  }
  std::ifstream in(folder / "log");
  std::map<char, int> next;
  for (std::string line; std::getline(in, line);) {
    const int i = next[line[0]]++;  // in the order of each thread
    ASSERT_EQ(line, std::string(static_cast<size_t>(i % 50 + 1), line[0]) + " " + std::to_string(i));
  }
  ASSERT_EQ(next.size(), 4u);
  for (const auto& [thread, lines] : next) EXPECT_EQ(lines, kEach);
}

TEST(LineWriter, ReopensByName) {
  const TempFolder folder;
  LineWriter writer(to(folder / "log"));
  writer.write("old\n");
  writer.flush();
  std::filesystem::rename(folder / "log", folder / "log.1");
  writer.write("still old\n");
  writer.flush();
  writer.reopen();
  writer.flush();
  EXPECT_EQ(read_bytes(folder / "log"), "");
  writer.write("new\n");
  writer.flush();
  EXPECT_EQ(read_bytes(folder / "log.1"), "old\nstill old\n");
  EXPECT_EQ(read_bytes(folder / "log"), "new\n");

  CaptureStderr();
  std::filesystem::remove(folder / "log");
  std::filesystem::create_directory(folder / "log");
  writer.reopen();
  writer.write("to the removed file\n");
  writer.flush();
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("the old file is written on"));
  EXPECT_EQ(writer.dropped(), 0);
}

TEST(LineWriter, AFullDiskIsComplainedAboutOnce) {
  CaptureStderr();
  LineWriter writer(to("/dev/full"));
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(writer.write("line\n"));
    writer.flush();
  }
  EXPECT_EQ(writer.dropped(), 5);
  const std::string log = GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("/dev/full"));
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
}

// A pipe nobody reads holds a little and then blocks, like a disk that hangs.
TEST(LineWriter, WhatDoesNotFitIsDroppedAndCounted) {
  const TempFolder folder;
  const std::string pipe = (folder / "pipe").string();
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const int reader = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  std::string read;
  int64_t accepted = 0, refused = 0;
  std::thread thread;
  {
    LineWriterOptions options = to(pipe);
    options.most_bytes = 10'000;
    options.lost = [](int64_t lines) { return "lost " + std::to_string(lines) + "\n"; };
    LineWriter writer(options);
    const std::string line = std::string(99, 'x') + "\n";
    while (refused < 50) ++(writer.write(line) ? accepted : refused);
    EXPECT_EQ(writer.dropped(), refused);
    ::fcntl(reader, F_SETFL, 0);
    thread = std::thread([&] {
      char buffer[4096];
      for (ssize_t count; (count = ::read(reader, buffer, sizeof buffer)) > 0;)
        read.append(buffer, static_cast<size_t>(count));
    });
    writer.flush();
    writer.write("the end\n");
  }
  thread.join();
  ::close(reader);
  EXPECT_EQ(std::count(read.begin(), read.end(), 'x'), accepted * 99);
  int64_t lost = 0;
  std::istringstream lines(read);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("lost ")) lost += std::stoll(line.substr(5));
  EXPECT_EQ(lost, refused);
  EXPECT_THAT(read, HasSubstr("the end\n"));
}

}  // namespace
}  // namespace hadal::serve
