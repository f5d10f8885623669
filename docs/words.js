// How MiniSearch takes a text apart, at the build and in the page alike.
const COMMON = new Set(("a an and are as at be by can do does for from has have how i if in into is it its "
  + "me my no not of on or should so than that the then there these they this to use was what when "
  + "where which who why will with work works you your").split(" "));
const SEARCH = {
  fields: ["title", "page", "text"],
  storeFields: ["title", "page", "href", "text", "weight"],
  processTerm: (term) => {
    const word = term.toLowerCase().normalize("NFD").replace(/[\u0300-\u036f]/g, "");
    return COMMON.has(word) ? null : stemmer(word);
  },
  searchOptions: { boost: { title: 5, page: 2 },
    boostDocument: (id, term, { weight }) => weight, prefix: (term) => term.length > 2,
    fuzzy: (term) => (term.length > 4 ? 0.2 : false) },
};
