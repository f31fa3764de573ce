#include "reproduce/page.h"

#include <ATen/ATen.h>
#include <optotorch/core/atomic_file.h>
#include <optotorch/core/check.h>
#include <optotorch/modules/optics/mzi_mesh.h>

#include <algorithm>
#include <filesystem>
#include <numbers>
#include <sstream>
#include <string_view>

#include "reproduce/gnuplot.h"
#include "reproduce/process.h"

namespace optotorch::tools {
namespace {

namespace fs = std::filesystem;

// Plain enough for any browser. Pictures keep a white ground in the dark, as they would on paper.
constexpr const char* style = R"(
  :root { color-scheme: light dark; --ground: #fdfdfc; --ink: #1d1f21; --faint: #6a6f75; --line: #d9dbdd; }
  @media (prefers-color-scheme: dark) {
    :root { --ground: #17191c; --ink: #e4e5e7; --faint: #9a9fa5; --line: #383c41; }
  }
  body { background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; max-width: 1200px;
         margin: 2em auto; padding: 0 1em; }
  h1 { font-size: 1.6em; line-height: 1.2; }
  h2 { font-size: 1.2em; margin: 2em 0 0.5em; }
  p { max-width: 45em; overflow-wrap: anywhere; }
  pre { white-space: pre-wrap; }
  .scroll { overflow-x: auto; }
  table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
  th, td { text-align: left; padding: 0.3em 1.2em 0.3em 0; border-bottom: 1px solid var(--line); vertical-align: top; }
  th { color: var(--faint); font-weight: 600; }
  .number { text-align: right; white-space: nowrap; }
  .figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 500px), 1fr)); gap: 1.2em;
             margin: 1em 0; }
  figure { margin: 0; }
  figure img { display: block; width: 100%; height: auto; background: #fff; border: 1px solid var(--line);
               border-radius: 6px; box-sizing: border-box; }
  figure p { margin: 0; padding: 1em; border: 1px dashed var(--line); border-radius: 6px; color: var(--faint); }
)";

/// Text as HTML, in elements and in quoted attributes. Control characters, which HTML forbids, become spaces.
std::string escape(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        result += (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7f ? ' ' : c;
    }
  }
  return result;
}

/// "97.31", "-", "", "0.8 %", "1.2e-5 s": what is compared digit by digit.
bool is_number(const std::string& cell) {
  if (cell.empty() || cell == "-") {
    return true;
  }
  char* end = nullptr;
  std::strtod(cell.c_str(), &end);
  return end != cell.c_str() && (*end == '\0' || (*end == ' ' && std::string_view(end).size() < 6));
}

/// A name for files, from the title: its letters and digits.
std::string file_name(int number, const std::string& title) {
  std::string name = number < 10 ? "0" + std::to_string(number) : std::to_string(number);
  const std::string words = folder_name(title).substr(0, 40);
  return words.empty() ? name : name + "-" + words;
}

}  // namespace

std::string folder_name(const std::string& title) {
  std::string name;
  for (const char c : title) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (letter || (c >= 'A' && c <= 'Z')) {
      name += letter ? c : static_cast<char>(c - 'A' + 'a');
    } else if (!name.empty() && name.back() != '-') {
      name += '-';
    }
  }
  while (name.ends_with('-')) {
    name.pop_back();
  }
  return name;
}

Page::Page(std::string folder, std::string title) : folder_(std::move(folder)), title_(std::move(title)) {}

void Page::heading(const std::string& text) {
  close_figures();
  body_ += "<h2>" + escape(text) + "</h2>\n";
}

void Page::paragraph(const std::string& text) {
  close_figures();
  body_ += "<p>" + escape(text) + "</p>\n";
}

void Page::verse(const std::string& text) {
  close_figures();
  body_ += "<pre>";
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    body_ += escape(line) + "\n";
  }
  body_ += "</pre>\n";
}

void Page::table(const std::vector<std::string>& headers, const std::vector<std::vector<std::string>>& rows) {
  std::vector<bool> numbers(headers.size(), !rows.empty());
  for (const auto& row : rows) {
    OPTOTORCH_CHECK(row.size() == headers.size(), .where = "Page::table", .argument = "rows",
                    .expected = c10::str(headers.size(), " cells, as there are headers"),
                    .got = std::to_string(row.size()));
    for (size_t i = 0; i < row.size(); ++i) {
      numbers[i] = numbers[i] && is_number(row[i]);
    }
  }
  close_figures();
  const auto line = [&](const std::vector<std::string>& cells, const std::string& tag) {
    body_ += "<tr>";
    for (size_t i = 0; i < cells.size(); ++i) {
      body_ += "<" + tag + (numbers[i] ? " class=\"number\">" : ">") + escape(cells[i]) + "</" + tag + ">";
    }
    body_ += "</tr>\n";
  };
  body_ += "<div class=\"scroll\"><table>\n";
  line(headers, "th");
  for (const auto& row : rows) {
    line(row, "td");
  }
  body_ += "</table></div>\n";
}

void Page::plot(const LinePlot& plot) {
  add(plot.title, gnuplot_input(plot));
}

void Page::plot(const HeatMap& map) {
  add(map.title, gnuplot_input(map));
}

void Page::add(const std::string& title, const std::optional<GnuplotInput>& input) {
  if (!in_figures_) {
    body_ += "<div class=\"figures\">\n";
    in_figures_ = true;
  }
  const auto note = [&](const std::string& text) {
    body_ += "<figure><p>" + escape(title) + ": " + escape(text) + "</p></figure>\n";
  };
  if (!input) {
    return note("there is no finite value to draw.");
  }
  const std::string pictures = folder_ + "/pictures", name = file_name(++pictures_, title);
  std::error_code error;
  fs::create_directories(pictures, error);  // if it fails, writing below says why
  write_text_atomically(pictures + "/" + name + ".dat", input->data);
  write_text_atomically(pictures + "/" + name + ".gp", gnuplot_script(name, *input));
  fs::remove(pictures + "/" + name + ".svg", error);  // an earlier attempt's
  const int exit_code = run_and_wait({{"gnuplot", name + ".gp"}, pictures, pictures + "/" + name + ".log"});
  if (exit_code == 0 && fs::exists(pictures + "/" + name + ".svg", error)) {
    fs::remove(pictures + "/" + name + ".log", error);
    body_ += "<figure><img src=\"pictures/" + name + ".svg\" width=\"" + std::to_string(picture_width) +
             "\" height=\"" + std::to_string(picture_height) + "\" alt=\"" + escape(title) + "\"></figure>\n";
  } else if (exit_code == program_not_found) {
    gnuplot_missing_ = true;
    fs::remove(pictures + "/" + name + ".log", error);
    note("not drawn, as gnuplot is missing. Its data are in pictures/" + name + ".dat.");
  } else {
    note("gnuplot failed; see pictures/" + name + ".log.");
  }
}

void Page::close_figures() {
  if (in_figures_) {
    body_ += "</div>\n";
    in_figures_ = false;
  }
}

void Page::write() const {
  std::string html = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  html += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
  html += "<title>" + escape(title_) + "</title>\n<style>" + style + "</style>\n</head>\n<body>\n";
  html += "<h1>" + escape(title_) + "</h1>\n";
  if (gnuplot_missing_) {
    html +=
        "<p><strong>The pictures are missing: gnuplot was not found.</strong> Install it (on Debian: apt "
        "install gnuplot-nox) and run the same command again; finished runs are kept.</p>\n";
  }
  html += body_ + (in_figures_ ? "</div>\n" : "") + "</body>\n</html>\n";
  write_text_atomically(folder_ + "/index.html", html);
}

}  // namespace optotorch::tools
