"""Lays out the pages of the site: the manual as it is, a page for every folder of public headers, and a gallery.

    generate.py ROOT SITE [FOLDER...]      ROOT: the project; SITE/doxygen/xml: what Doxygen wrote; SITE/source: a new
                                           folder for Sphinx; SITE/extra: what it copies as it is; FOLDER: an experiment
"""

import html
import pathlib
import re
import shutil
import sys
import xml.etree.ElementTree as ElementTree

root, site, *experiments = map(pathlib.Path, sys.argv[1:])
doxygen, source = site / "doxygen/xml", site / "source"
PRIVATE = re.compile(r"/(detail|cpu|cuda|meta|autograd|reference)/")
FLOORS = ["csrc/core", "csrc/ops", "csrc/mesh", "modules", "trainers"]

# Doxygen's index has only base names, some of which occur twice.
index = ElementTree.parse(doxygen / "index.xml")
for compound in index.getroot().iterfind("compound[@kind='file']"):
    about = ElementTree.parse(doxygen / f"{compound.get('refid')}.xml")
    compound.find("name").text = about.find(".//compounddef/location").get("file")
index.write(doxygen / "index.xml")

source.mkdir(parents=True)
for page in sorted((root / "docs").glob("*.md")):
    text = page.read_text()
    # Links that leave the manual become plain text.
    text = re.sub(r"\[([^\]]+)\]\(\.\./[^)]+\)", r"\1", text)
    (source / page.name).write_text(text)
for picture in (root / "docs").glob("*.svg"):
    shutil.copy(picture, source)
readme = (root / "README.md").read_text()
readme = re.sub(r"\]\(docs/", "](", readme)
readme = re.sub(r"(?<!!)\[([^\]]+)\]\((?!http|#)(?![a-z-]+\.(?:md|svg))[^)]+\)", r"\1", readme)
(source / "index_text.md").write_text(readme)

pages = []
for folder in FLOORS:
    headers = sorted(path for path in (root / folder).rglob("*.h")
                     if not PRIVATE.search(f"/{path.relative_to(root)}"))
    by_folder = {}
    for header in headers:
        by_folder.setdefault(header.parent, []).append(header)
    for parent, group in by_folder.items():
        name = str(parent.relative_to(root)).replace("/", "_")
        label = str(parent.relative_to(root)).removeprefix("csrc/")
        lines = [label, "=" * len(label), ""]
        for header in group:
            lines += [header.name, "-" * len(header.name), "", f"``#include <optotorch/{label}/{header.name}>``", "",
                      f".. doxygenfile:: {header.relative_to(root)}", "   :sections: briefdescription detaileddescription "
                      "innernamespace innerclass define enum typedef func var public-func public-attrib public-type "
                      "public-static-func protected-func", ""]
        (source / f"api_{name}.rst").write_text("\n".join(lines))
        pages.append(f"api_{name}")

lines = ["# Gallery", "", "Pages that `optotorch reproduce` wrote: what was published beside what was measured, curves and",
         "pictures.", ""]
for number, experiment in enumerate(experiments):
    page = (experiment / "index.html").read_text() if (experiment / "index.html").exists() else ""
    title = re.search("<title>(.*?)</title>", page)
    if not title:
        sys.exit(f"site: {experiment}: expected a folder that optotorch reproduce wrote, got one without its page")
    name = f"{number}-{title.group(1).partition(':')[0]}"
    target = site / "extra/gallery" / name
    target.mkdir(parents=True)
    (target / "index.html").write_text(page)
    if (experiment / "pictures").exists():
        shutil.copytree(experiment / "pictures", target / "pictures")
    link = f'<a href="gallery/{name}/index.html">'
    lines += ["```{raw} html", f"<p>{link}{html.escape(html.unescape(title.group(1)))}</a></p>"]
    if picture := re.search(r'<img[^>]*src="(pictures/[^"]+)"', page):
        lines.append(f'{link}<img src="gallery/{name}/{picture.group(1)}" alt="" width="500"></a>')
    lines += ["```", ""]
if not experiments:
    lines += ["None was given when the site was built.", ""]
(source / "gallery.md").write_text("\n".join(lines))

manual = ["architecture", "conventions", "python", "data", "rules", "distributed", "devices", "numerics", "performance", "cost",
          "reproduce", "trials", "file-formats", "instrument"]
pages_there = {page.stem for page in (root / "docs").glob("*.md")}
if set(manual) != pages_there:
    sys.exit(f"site: generate.py: expected the pages of docs/ in its list, got another: {set(manual) ^ pages_there}")
(source / "index.rst").write_text("\n".join([
    ".. include:: index_text.md", "   :parser: myst_parser.sphinx_", "",
    ".. toctree::", "   :caption: Manual", "   :hidden:", "", *(f"   {page}" for page in [*manual, "gallery"]), "",
    ".. toctree::", "   :caption: C++", "   :hidden:", "", *(f"   {page}" for page in pages), ""]))
