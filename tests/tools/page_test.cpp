#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <optotorch/modules/optics/mzi_mesh.h>
#include <support/errors.h>
#include <support/temporary_folder.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <numbers>
#include <sstream>

#include "reproduce/page.h"
#include "runs/pictures.h"

namespace optotorch::tools {
namespace {

using optotorch::testing::TemporaryFolder;

// What HTML, SVG or gnuplot would obey if it were not quoted; `touch` would leave a file behind.
const std::string nasty =
    R"(<b>&amp; 'q' "d" \ %d $1 @x ^2 _3 {/Bold z} `touch escaped` '; system("touch escaped") # \n \)";
const std::string nasty_html =
    R"(&lt;b&gt;&amp;amp; &#39;q&#39; &quot;d&quot; \ %d $1 @x ^2 _3 {/Bold z} `touch escaped` &#39;; )"
    R"(system(&quot;touch escaped&quot;) # \n \)";

std::string read(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

bool has_gnuplot() {
  return std::system("gnuplot --version >/dev/null 2>&1") == 0;
}

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) {
    ++found;
  }
  return found;
}

/// An SVG's text as a reader sees it.
std::string unescaped(std::string text) {
  for (const auto& [code, character] :
       {std::pair{"&lt;", "<"}, std::pair{"&gt;", ">"}, std::pair{"&quot;", "\""}, std::pair{"&#39;", "'"},
        std::pair{"&apos;", "'"}, std::pair{"&amp;", "&"}}) {
    const std::string from = code;
    for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + 1)) {
      text.replace(at, from.size(), character);
    }
  }
  return text;
}

TEST(PageTest, TextsAreShownAsTheyAre) {
  const TemporaryFolder folder;
  Page page(folder.path(), nasty);
  page.heading(nasty);
  page.paragraph(nasty);
  page.table({nasty, "n"}, {{nasty, "1.5 %"}});
  page.write();
  const std::string html = read(folder.path() + "/index.html");
  EXPECT_EQ(count(html, nasty_html), 6);  // the title twice
  EXPECT_EQ(html.find("<b>"), std::string::npos);
  EXPECT_NE(html.find("<td class=\"number\">1.5 %</td>"), std::string::npos);
}

TEST(PageTest, PicturesObeyNoText) {
  if (!has_gnuplot()) {
    GTEST_SKIP() << "gnuplot is not installed";
  }
  const TemporaryFolder folder;
  Page page(folder.path(), "page");
  page.plot(LinePlot{nasty, nasty, nasty, {{nasty, {1, 2, 3}, {1, NAN, 3}}, {"", {1, 2}, {2, INFINITY}}}});
  HeatMap map{nasty, nasty, nasty, at::arange(6, at::kDouble).view({2, 3})};
  map.values[0][0] = NAN;
  map.numbers = true;
  map.row_names = {nasty, "b"};
  map.column_names = {nasty, "b", "c"};
  page.plot(map);
  page.write();
  const std::string html = read(folder.path() + "/index.html");
  EXPECT_EQ(count(html, "<img src=\"pictures/"), 2) << html;
  EXPECT_EQ(count(html, "alt=\"" + nasty_html + "\""), 2);
  int pictures = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() + "/pictures")) {
    const auto extension = entry.path().extension();
    EXPECT_TRUE(extension == ".svg" || extension == ".gp" || extension == ".dat") << entry.path();
    if (extension == ".svg") {
      ++pictures;
      EXPECT_GE(count(unescaped(read(entry.path())), nasty), 3) << entry.path();
    }
  }
  EXPECT_EQ(pictures, 2);
  EXPECT_FALSE(std::filesystem::exists(folder.path() + "/pictures/escaped"));
}

TEST(PageTest, DrawsEveryKindOfPlot) {
  if (!has_gnuplot()) {
    GTEST_SKIP() << "gnuplot is not installed";
  }
  const TemporaryFolder folder;
  Page page(folder.path(), "page");
  LinePlot logarithmic{"logarithmic", "x", "y", {{"a", {0, 1, 10, 100}, {1, -1, NAN, 1e-3}}}};
  logarithmic.log_x = logarithmic.log_y = true;
  page.plot(logarithmic);
  page.plot(LinePlot{"one point", "x", "y", {{"", {1}, {1}}}});
  // Gaps of several values must not end a series.
  page.plot(LinePlot{"gaps", "x", "y", {{"a", {1, 2, 3, 4}, {1, NAN, NAN, 2}}, {"b", {1, 2}, {3, 4}}}});
  page.plot(HeatMap{"constant", "x", "y", at::ones({3, 3})});
  page.plot(HeatMap{"one cell", "x", "y", at::ones({1, 1}, at::kLong)});
  HeatMap boundary{"large", "x", "y", at::rand({150, 120})};
  boundary.x0 = boundary.y0 = -1;
  boundary.x1 = boundary.y1 = 2;
  boundary.first_row_on_top = false;
  page.plot(boundary);
  page.write();
  const std::string html = read(folder.path() + "/index.html");
  EXPECT_EQ(count(html, "<img"), 6) << html;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() + "/pictures")) {
    if (entry.path().extension() == ".svg") {
      EXPECT_NE(read(entry.path()).find("</svg>"), std::string::npos) << entry.path();
      EXPECT_LT(std::filesystem::file_size(entry.path()), 500'000) << entry.path();
    }
  }
}

/// The script of a page's only picture.
template <typename Plot>
std::string script_of(const Plot& plot) {
  const TemporaryFolder folder;
  Page page(folder.path(), "page");
  page.plot(plot);
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() + "/pictures")) {
    if (entry.path().extension() == ".gp") {
      return read(entry.path());
    }
  }
  return "";
}

std::vector<double> whole_numbers(int count) {
  std::vector<double> result;
  for (int i = 1; i <= count; ++i) {
    result.push_back(i);
  }
  return result;
}

TEST(PageTest, EpochsAreWhole) {
  for (const auto& [epochs, ticks] :
       {std::pair{1, "set xtics 1\n"}, std::pair{3, "set xtics 1\n"}, std::pair{12, "set xtics 1\n"},
        std::pair{13, "set xtics 2\n"}, std::pair{60, "set xtics 5\n"}, std::pair{200, "set xtics 20\n"}}) {
    const auto x = whole_numbers(epochs);
    const auto script = script_of(LinePlot{"t", "epoch", "y", {{"a", x, x}}});
    EXPECT_NE(script.find(ticks), std::string::npos) << epochs << script;
  }
  EXPECT_EQ(script_of(LinePlot{"t", "x", "y", {{"a", {0.5, 1, 3}, {1, 2, 3}}}}).find("xtics"),
            std::string::npos);
  HeatMap map{"t", "column", "port", at::ones({4, 4})};
  EXPECT_NE(script_of(map).find("set xtics 1\nset ytics 1\n"), std::string::npos);
  map.x0 = 0;
  map.x1 = 1;
  EXPECT_EQ(script_of(map).find("xtics"), std::string::npos);
}

TEST(PageTest, LogarithmicScalesHaveTicks) {
  LinePlot plot{"t", "x", "y", {{"a", {1, 2, 3}, {0.21, 0.5, 0.93}}}};
  plot.log_y = true;
  auto script = script_of(plot);
  EXPECT_NE(script.find("set logscale y"), std::string::npos);
  EXPECT_NE(script.find("set ytics ('0.3' 0.3, '0.4' 0.4, '0.5' 0.5, '0.6' 0.6"), std::string::npos)
      << script;
  // No two ticks between .31 and .36: a logarithmic scale could not be read.
  plot.series = {{"a", {1, 2, 3}, {0.31, 0.33, 0.36}}};
  EXPECT_EQ(script_of(plot).find("logscale"), std::string::npos);
}

TEST(PageTest, ABandLiesBehindItsLine) {
  if (!has_gnuplot()) {
    GTEST_SKIP() << "gnuplot is not installed";
  }
  const TemporaryFolder folder;
  Page page(folder.path(), "page");
  const Series banded{"a", {1, 2, 3, 4, 5}, {1, 2, NAN, 3, 4}, {0.5, 1, NAN, 2, 3}, {2, 3, NAN, 4, 5}};
  page.plot(LinePlot{"band", "epoch", "y", {banded, {"b", {1, 2, 3}, {3, 2, 1}}}});
  page.write();
  const auto svg = read(folder.path() + "/pictures/01-band.svg");
  const auto band = svg.find("<polygon fill = 'rgb(  0, 114, 178)' fill-opacity = '0.2"),
             line = svg.find("<path stroke='rgb(  0, 114, 178)'");
  EXPECT_NE(band, std::string::npos) << svg;
  EXPECT_NE(line, std::string::npos) << svg;
  EXPECT_LT(band, line);
}

TEST(PageTest, NothingToDrawIsSaidNotDrawn) {
  const TemporaryFolder folder;
  Page page(folder.path(), "page");
  page.plot(LinePlot{"empty", "x", "y", {}});
  page.plot(LinePlot{"lost", "x", "y", {{"a", {1, 2}, {NAN, INFINITY}}}});
  page.plot(HeatMap{"blank", "x", "y", at::full({2, 2}, NAN)});
  page.write();
  const std::string html = read(folder.path() + "/index.html");
  EXPECT_EQ(count(html, "no finite value"), 3);
  EXPECT_EQ(count(html, "<img"), 0);
}

TEST(PageTest, RejectsWhatDoesNotFit) {
  const TemporaryFolder folder;
  Page page(folder.path(), "page");
  EXPECT_SAYS(page.plot(LinePlot{"t", "x", "y", {{"a", {1, 2}, {1}}}}), "1 y and 2 x in 'a'");
  EXPECT_SAYS(page.plot(LinePlot{"t", "x", "y", {{"a", {1, 2}, {1, 2}, {1, 2}}}}), "2 low, 0 high and 2 x");
  EXPECT_SAYS(page.plot(HeatMap{"t", "x", "y", at::ones({3})}), "[rows, columns]");
  EXPECT_SAYS(page.plot(HeatMap{"t", "x", "y", at::Tensor()}), "got none");
  EXPECT_SAYS(page.plot(HeatMap{"t", "x", "y", at::ones({2, 2}, at::kComplexFloat)}), "complex64");
  EXPECT_SAYS(page.table({"a", "b"}, {{"1"}}), "2 cells");
  EXPECT_SAYS(Page(folder.path() + "/absent", "page").write(), "absent");
}

TEST(PageTest, FolderNames) {
  EXPECT_EQ(folder_name("TPFP, depth 4"), "tpfp-depth-4");
  EXPECT_EQ(folder_name("../../etc/passwd"), "etc-passwd");
  EXPECT_EQ(folder_name("./."), "");
}

TEST(PageTest, PhaseMapLiesAsTheMeshDoes) {
  MziMesh mesh(MziMeshOptions(5).columns(3));
  ASSERT_EQ(mesh->footprint().at(parts::mzis), 6);
  mesh->theta.detach().copy_(at::tensor({0.5, 1.0, 1.5, 2.0, -0.5, 7.0}));
  const double nan = NAN, pi2 = 2 * std::numbers::pi;
  const at::Tensor expected = at::tensor({0.5, nan, pi2 - 0.5,  //
                                          0.5, 1.5, pi2 - 0.5,  //
                                          1.0, 1.5, 7.0 - pi2,  //
                                          1.0, 2.0, 7.0 - pi2,  //
                                          nan, 2.0, nan})
                                  .view({5, 3})
                                  .to(at::kDouble);
  EXPECT_TRUE(at::allclose(phase_map(*mesh), expected, 0, 1e-6, /*equal_nan=*/true)) << phase_map(*mesh);
}

}  // namespace
}  // namespace optotorch::tools
