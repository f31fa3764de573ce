#pragma once

// The lists that come with data sets of pictures.

#include <optotorch/trainers/datasets/detail/class_folders.h>
#include <optotorch/trainers/datasets/image_file_set.h>

#include <cstdint>
#include <string>
#include <vector>

namespace optotorch {

/// Throws unless each of `folders` is one, with the line of Python that gets the data set:
/// "torchvision.datasets.SET(ARGUMENTS, download=True)".
void check_folders(const std::string& set, const std::vector<std::string>& folders,
                   const std::string& arguments);

/// Throws unless `value` is one of `known`.
void check_choice(const std::string& set, const std::string& argument, const std::string& value,
                  const std::vector<std::string>& known);

/// The lines of a text file, without the space at both of their ends; \n, \r\n and \r end a line. Throws if
/// it cannot be read.
std::vector<std::string> read_lines(const std::string& set, const std::string& path);

/// What stands between spaces, one or more.
std::vector<std::string> words_of(const std::string& line);

/// What stands between `mark`s; at least one.
std::vector<std::string> split_at(const std::string& line, char mark);

/// The number that `text` is, and nothing else; otherwise throws, naming file and line, counted from 1.
int64_t number_of(const std::string& set, const std::string& path, size_t line, const std::string& text);

/// Throws that a line, counted from 1, is not as expected.
[[noreturn]] void refuse_line(const std::string& set, const std::string& path, size_t line,
                              const std::string& expected, const std::string& got);

/// `folder`/`relative`; throws unless that stays in `folder`.
std::string inside(const std::string& set, const std::string& list, const std::string& folder,
                   const std::string& relative);

/// folder/name/...
std::string join(const std::string& folder, std::initializer_list<std::string> names);

ImageFileSet make_set(const std::string& set, LabelledFiles files, std::vector<std::string> class_names,
                      ImageFileMode mode);

}  // namespace optotorch
